"""What may be asked about a cohort and its dates, and what is valid."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any, ClassVar

from django import forms
from django.db import transaction
from django.db.models import Prefetch
from django.forms import BoundField
from django.http import QueryDict
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from offers.forms.careful import CarefulForm, day_field, moment_field
from offers.models import Cohort, CohortDate, Course, Lesson, LessonKind, Module
from offers.rules import in_words
from portal.addresses import is_pk
from portal.events import Name, record


class CohortForm(CarefulForm[Cohort]):
    """What a cohort is called, and its days."""

    created, updated = Name.COHORT_CREATED, Name.COHORT_UPDATED

    starts_on = day_field(
        label=_("First day"),
        help_text=_(
            "Before it every lesson is shut to the cohort, and days are counted from it. Empty: "
            "days are counted from each one's enrollment."
        ),
    )
    ends_on = day_field(
        label=_("Last day"),
        help_text=_("Closes nothing: access ends with what was granted. Later nobody is put in."),
    )

    class Meta:
        model = Cohort
        fields: ClassVar[list[str]] = ["title", "starts_on", "ends_on"]

    def __init__(self, *args: Any, course: Course, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.instance.course = course

    def clean_title(self) -> str:
        title = str(self.cleaned_data["title"])
        others = Cohort.objects.filter(course=self.instance.course, title=title)
        if others.exclude(pk=self.instance.pk).exists():
            raise forms.ValidationError(gettext("The course has a cohort of this name already."))
        return title

    def clean(self) -> dict[str, Any]:
        words = super().clean() or self.cleaned_data
        first, last = words.get("starts_on"), words.get("ends_on")
        if first and last and last < first:
            self.add_error("ends_on", gettext("The last day is before the first."))
        return words


@dataclass(frozen=True)
class Row:
    """One lesson in the form: its fields (of a live class all three), and what holds for everybody else."""

    lesson: Lesson
    rule: list[str]
    opens_on: BoundField
    live_at: BoundField | None
    join_url: BoundField | None


class CohortDatesForm(forms.Form):
    """What is different for a cohort, lesson by lesson. Empty: as for everybody.

    Carries along which dates it showed: if somebody else saved others meanwhile, that is said
    first, and nothing is lost.
    """

    def __init__(self, data: QueryDict | None = None, *, cohort: Cohort) -> None:
        super().__init__(data)
        self.cohort = cohort
        lessons = Lesson.objects.filter(module__course=cohort.course_id)
        required = Prefetch("requires", Lesson.objects.published())
        self.lessons = list(lessons.in_order().select_related("module").prefetch_related(required))
        self.present = {row.lesson_id: row for row in cohort.dates.order_by("lesson")}
        self.seen = _digest(cohort, self.present)
        for lesson in self.lessons:
            self.fields |= _date_fields(lesson, self.present.get(lesson.pk) or CohortDate())

    def modules(self) -> Iterator[tuple[Module, list[Row]]]:
        """The lessons under their modules, for the template to print."""
        for module, lessons in groupby(self.lessons, key=lambda lesson: lesson.module):
            yield module, [self._row(lesson) for lesson in lessons]

    def _row(self, lesson: Lesson) -> Row:
        live = [name for name in ("live_at", "join_url") if f"{name}_{lesson.pk}" in self.fields]
        live_at, join_url = [self[f"{name}_{lesson.pk}"] for name in live] or (None, None)
        rule = [*in_words(lesson.module), *in_words(lesson, list(lesson.requires.all()))]
        return Row(lesson, rule, self[f"opens_on_{lesson.pk}"], live_at, join_url)

    @property
    def is_out_of_date(self) -> bool:
        """Whether what is saved is no longer what the page showed."""
        return self.is_bound and self.data.get("seen") != self.seen

    def clean(self) -> dict[str, Any]:
        words = super().clean() or self.cleaned_data
        if self.is_out_of_date:
            tell_saved(self)
            raise forms.ValidationError(
                gettext(
                    "Somebody else changed this cohort meanwhile. What is saved now stands below "
                    "each field that differs. Save again to keep what you wrote."
                )
            )
        return words

    @transaction.atomic
    def save(self) -> None:
        """Write all of them, and record it if they differ; four statements, however many lessons."""
        rows = [row for lesson in self.lessons if _says_something(row := self._written(lesson))]
        kept = [row.lesson_id for row in rows]
        self.cohort.dates.filter(lesson__in=self.lessons).exclude(lesson__in=kept).delete()
        CohortDate.objects.bulk_create(
            rows,
            update_conflicts=True,
            unique_fields=["cohort", "lesson"],
            update_fields=["opens_on", "live_at", "join_url"],
        )
        if self.has_changed():
            record(Name.COHORT_UPDATED, **self.cohort.facts(), fields=["dates"])

    def _written(self, lesson: Lesson) -> CohortDate:
        """The row as it was sent. What has no field here, for the lesson is no live class now, stays."""
        words, present = self.cleaned_data, self.present.get(lesson.pk) or CohortDate()
        return CohortDate(
            cohort=self.cohort,
            lesson=lesson,
            opens_on=words[f"opens_on_{lesson.pk}"],
            live_at=words.get(f"live_at_{lesson.pk}", present.live_at),
            join_url=words.get(f"join_url_{lesson.pk}", present.join_url),
        )


def _date_fields(lesson: Lesson, present: CohortDate) -> dict[str, forms.Field]:
    """What may differ for a cohort in a lesson, with what differs at present."""
    pk, named = lesson.pk, {"lesson": lesson.title}
    opens_on = gettext("%(lesson)s opens on") % named
    fields: dict[str, forms.Field] = {
        f"opens_on_{pk}": day_field(label=opens_on, initial=present.opens_on)
    }
    if lesson.kind == LessonKind.LIVE:
        begins = gettext("%(lesson)s begins") % named
        fields[f"live_at_{pk}"] = moment_field(label=begins, initial=present.live_at)
        fields[f"join_url_{pk}"] = forms.URLField(
            label=gettext("Link to join %(lesson)s") % named,
            required=False,
            initial=present.join_url,
            max_length=500,
            assume_scheme="https",
            widget=forms.URLInput(attrs={"placeholder": "https://"}),
        )
    return fields


def fields_of(sent: QueryDict) -> dict[str, forms.Field]:
    """The fields of a form that was sent for a cohort, though the cohort is gone."""
    names = [name.removeprefix("opens_on_") for name in sent if name.startswith("opens_on_")]
    fields: dict[str, forms.Field] = {**CohortForm.base_fields}
    for lesson in Lesson.objects.filter(pk__in=filter(is_pk, names)).in_order():
        fields |= _date_fields(lesson, CohortDate())
    return fields


def tell_saved(form: forms.BaseForm) -> None:
    """Say below each field that differs what is saved in it now."""
    for name in form.changed_data:
        value = form.get_initial_for_field(form.fields[name], name)
        field = form.fields[name]
        shown = field.widget.format_value(field.prepare_value(value)) or gettext("nothing")
        form.add_error(name, gettext("Saved meanwhile: %s") % shown)


def _says_something(row: CohortDate) -> bool:
    return bool(row.opens_on or row.live_at or row.join_url)


def _digest(cohort: Cohort, present: dict[int, CohortDate]) -> str:
    """The same as long as nothing of the cohort is changed."""
    facts = [(pk, row.opens_on, row.live_at, row.join_url) for pk, row in present.items()]
    told = repr((cohort.title, cohort.starts_on, cohort.ends_on, facts))
    return hashlib.sha256(told.encode()).hexdigest()[:16]
