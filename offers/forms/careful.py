"""What the other forms are made of: what they write, whose save comes too late, which files they keep."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, ClassVar

from django import forms
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import QuerySet
from django.forms import BoundField
from django.utils.formats import date_format
from django.utils.text import get_text_list
from django.utils.timezone import localtime
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from offers.models import Cohort, Course, Lesson, Module, Offer, Question
from offers.slugs import free_slug, lock_slugs
from portal import context
from portal.events import Name, record
from portal.models import File
from portal.uploads import Upload, UploadField, settle

FIRST_YEAR, LAST_YEAR = 2000, 2100  # beyond, it is a typing error
KEPT = "kept_"  # begins the name of the hidden field


class CarefulForm[Noun: (Cohort, Course, Module, Lesson, Offer, Question)](forms.ModelForm[Noun]):
    """A form that writes what it changed, so that an edit never takes back what happened beside it.

    The log says so: `created` of a new noun, if students may get it at once, and `updated` of an edit.
    """

    created: ClassVar[Name | None] = None
    updated: ClassVar[Name]

    @transaction.atomic
    def save(self, commit: bool = True) -> Noun:
        """Insert the noun, or update the fields that differ."""
        if not self.instance.pk:
            self.insert()
        else:
            self.update(self.written())
        return self.instance

    def insert(self) -> None:
        """Write a new noun."""
        self.instance.save()
        if self.created:
            record(self.created, **self.instance.facts())

    def update(self, columns: set[str], *, beside: Collection[str] = ()) -> None:
        """Write these columns, and record them with what else is changed `beside` them."""
        if columns:
            self.instance.save(update_fields=columns)
        if fields := sorted(columns | {*beside}):
            record(self.updated, **self.instance.facts(), fields=fields)

    def written(self) -> set[str]:
        """The columns that differ from what is there."""
        return {*self.changed_data} & {*(self._meta.fields or ())}


class SluggishForm[Noun: (Course, Offer)](CarefulForm[Noun]):
    """A form whose address field may be left empty: it follows the title then.

    Whoever cleans and saves it does both in one transaction, so that no other takes the address between.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["slug"].required = False
        self.fields["slug"].help_text = _("Part of the web address. Empty: made from the title.")

    def clean(self) -> dict[str, Any]:
        words = super().clean() or self.cleaned_data
        if not self.instance.pk or "slug" in self.changed_data:
            lock_slugs()
        if not words.get("slug") and words.get("title"):
            others = self._meta.model._default_manager.exclude(pk=self.instance.pk)
            words["slug"] = free_slug(words["title"], among=others)
        return words


class Overtaken(Exception):
    """Somebody else saved the same text after this form was opened."""


@dataclass(frozen=True)
class Difference:
    """A field in which what somebody else saved differs from what was typed."""

    field: BoundField  # what was typed, to go on with
    mine: str
    theirs: str


class VersionedForm[Noun: (Course, Lesson, Module, Question)](CarefulForm[Noun]):
    """A form that knows which version it was opened with, and keeps the files it was sent.

    No browser sends a file twice: when the form comes back, for a mistake or to show something, what
    was uploaded with it is stored and named in a hidden field beside it.
    """

    version_field: type[forms.Field] = forms.IntegerField

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["version"] = self.version_field(
            required=self.instance.pk is not None,
            initial=self.instance.version,
            widget=forms.HiddenInput,
        )
        self.fields |= self.upload_fields()
        for name, field in self._uploads():
            kept = KEPT + name
            self.fields[kept] = forms.UUIDField(required=False, widget=forms.HiddenInput)
            key = self[kept].data if self.is_bound else self.initial.get(kept)
            present = _kept_file(key) or getattr(self.instance, name)
            # A lesson that changes its kind leaves a file of another kind behind.
            self.initial[name] = present if present and present.kind == field.kind else None

    def upload_fields(self) -> dict[str, UploadField]:
        """The files it asks for besides those it declares."""
        return {}

    def _uploads(self) -> Iterator[tuple[str, UploadField]]:
        for name, field in list(self.fields.items()):
            if isinstance(field, UploadField):
                yield name, field

    def claim(self) -> None:
        """Make this save the next version, in the caller's transaction. Raises Overtaken."""
        if not self.instance.claim_version(self.cleaned_data["version"]):
            raise Overtaken

    def settle_uploads(self) -> set[str]:
        """Set each file as the form has it; returns the columns that changed."""
        changed = set()
        for name, _field in self._uploads():
            file = settle(self.cleaned_data[name], present=self.initial[name])
            if file != getattr(self.instance, name):
                setattr(self.instance, name, file)
                changed.add(name)
        return changed

    def keep(self) -> None:
        """Store what was uploaded with a form that comes back for a mistake, and show that it is there."""
        data: Any = self.data.copy()  # type: ignore[attr-defined]
        for name, key in self.typed().items():
            if key and name.startswith(KEPT):
                data[name] = key
                self[name.removeprefix(KEPT)].initial = _kept_file(key)
        self.data = data

    def typed(self) -> dict[str, Any]:
        """Everything as it was sent, as the `initial` of a form that shows it again. Stores its files."""
        if not hasattr(self, "cleaned_data"):
            self.full_clean()
        found = {name: self[name].data for name in self.fields if name != "attach"}
        for name, _field in self._uploads():
            answer = self.cleaned_data.get(name)
            del found[name]
            if isinstance(answer, Upload):
                found[KEPT + name] = str(answer.save().pk)
        return found

    def differences(self, mine: VersionedForm[Noun]) -> Iterator[Difference]:
        """Where this form, filled with what is there now, differs from `mine`, which shows what was typed."""
        for name, field in self.fields.items():
            if name == "version" or name.startswith(KEPT):
                continue
            there, typed = self.initial.get(name), mine.initial.get(name)
            if (
                field.has_changed(there, typed)
                if not isinstance(field, UploadField)
                else there != typed
            ):
                yield Difference(mine[name], in_words(mine[name]), in_words(self[name]))


def in_words(bound: BoundField) -> str:
    """What a field holds, for people to read."""
    field, value = bound.field, bound.initial
    text: object = "" if value is None else value
    match field:
        case forms.BooleanField():
            text = gettext("Yes") if value else gettext("No")
        case forms.ModelMultipleChoiceField(queryset=QuerySet() as rows):
            text = get_text_list(list(map(str, rows.filter(pk__in=value or ()))), gettext("and"))
        case forms.ModelChoiceField(queryset=QuerySet() as rows):
            text = rows.filter(pk=value).first() or ""
        case forms.ChoiceField():
            text = dict(bound.field.choices).get(value, value)  # type: ignore[attr-defined]
        case forms.DateTimeField() | forms.DateField() if value:
            text = _moment_in_words(field, value)
    return str(text)


def _moment_in_words(field: forms.DateField | forms.DateTimeField, value: Any) -> str:
    """A day or a moment, be it one or what somebody typed for one."""
    try:
        found = field.to_python(value)
    except ValidationError:
        return str(value)
    if isinstance(found, datetime):
        return date_format(localtime(found), "DATETIME_FORMAT")
    return date_format(found) if found else ""


def _refuse_mistyped(value: date) -> None:
    """Refuse a day or a moment that nobody can mean, like one of the year 0026."""
    if not FIRST_YEAR <= value.year <= LAST_YEAR:
        years = {"first": FIRST_YEAR, "last": LAST_YEAR}
        raise ValidationError(gettext("Give a year from %(first)d to %(last)d.") % years)


def day_field(**options: Any) -> forms.DateField:
    """A day that can be meant, or none."""
    return forms.DateField(
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        validators=[_refuse_mistyped],
        **options,
    )


def moment_field(**options: Any) -> forms.DateTimeField:
    """A moment that can be meant, in the school's time zone, or none."""
    return forms.DateTimeField(
        required=False,
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
        validators=[_refuse_mistyped],
        **options,
    )


def _kept_file(key: str | None) -> File | None:
    """The file with this key, if whoever asks uploaded it: no form takes the file of somebody else."""
    try:
        return File.objects.filter(pk=key, created_by=context.actor()).first() if key else None
    except ValidationError:
        return None
