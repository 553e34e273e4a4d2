"""A members file and what is to become of it: the form, and the question it may lead to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, BinaryIO, cast

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.db.models import Prefetch
from django.forms.boundfield import BoundWidget
from django.template.defaultfilters import filesizeformat
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _

from enrollments.models import IfHeld, ImportBatch
from enrollments.preview import glance
from enrollments.tables import FileRefused
from offers.models import Course, Offer
from offers.models.course import Status
from offers.models.offer import Kind

type Choices = list[tuple[str, str]]


def _with_offers() -> list[Course]:
    """The courses that may be given, each with the offers that may be granted and hold it."""
    offers = Prefetch("offers", Offer.objects.grantable(), to_attr="grantable")
    return list(
        Course.objects.exclude(status=Status.ARCHIVED)
        .order_by("title", "pk")
        .prefetch_related(offers)
    )


class ImportForm(forms.Form):
    """The file, for which contents, and on what terms. Saving it keeps the file and begins the dry run."""

    file = forms.FileField(
        label=gettext_lazy("File"),
        widget=forms.FileInput(attrs={"accept": ".csv,.txt,.tsv,.xlsx,text/csv"}),
    )
    contents = forms.MultipleChoiceField(
        label=gettext_lazy("For which contents?"),
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": gettext_lazy("Choose at least one course or offer.")},
    )
    only_dates = forms.BooleanField(
        label=gettext_lazy("Only change dates"),
        required=False,
        help_text=gettext_lazy(
            "Grants nothing, makes nobody and mails nobody: the file's dates are set for those who "
            "hold the contents, and whoever does not is named."
        ),
    )
    if_held = forms.ChoiceField(
        label=gettext_lazy("Those who hold it already"),
        choices=IfHeld,
        initial=IfHeld.SET,
        widget=forms.RadioSelect,
        help_text=gettext_lazy("A blank cell always leaves the date as it is."),
    )
    notify = forms.BooleanField(
        label=gettext_lazy("Send the access mail"),
        required=False,
        initial=True,
        help_text=gettext_lazy("One mail a person, and only to those who are given something new."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.courses = {f"course:{course.pk}": course for course in _with_offers()}
        self.offers = {f"offer:{offer.pk}": offer for offer in Offer.objects.grantable()}
        titled: list[tuple[str, Choices]] = [
            (_("Courses"), [(key, course.title) for key, course in self.courses.items()]),
            (_("Subscriptions"), self._titles(Kind.SUBSCRIPTION)),
            (_("Offers"), self._titles(Kind.STANDARD)),
        ]
        contents = cast(forms.MultipleChoiceField, self.fields["contents"])
        self.titled = contents.choices = [group for group in titled if group[1]]

    def _titles(self, kind: Kind) -> list[tuple[str, str]]:
        return [(key, offer.title) for key, offer in self.offers.items() if offer.kind == kind]

    def groups(self) -> Iterator[tuple[str, list[BoundWidget]]]:
        """The tick boxes of the contents, for the template to print under their headings."""
        boxes = {box.data["value"]: box for box in self["contents"].subwidgets}
        for title, choices in self.titled:
            yield title, [boxes[key] for key, _label in choices]

    def clean_contents(self) -> list[str]:
        """Every course must be in some offer: what is granted is always an offer."""
        keys: list[str] = self.cleaned_data["contents"]
        for key in keys:
            if key in self.courses and not self._offers_of(self.courses[key]):
                raise ValidationError(
                    format_html(
                        '{} <a href="{}?course={}">{}</a>',
                        _("“%(course)s” is in no offer that can be given.")
                        % {"course": self.courses[key]},
                        reverse("offers:offer_create"),
                        self.courses[key].pk,
                        _("Make an offer for it."),
                    )
                )
        return keys

    def clean(self) -> dict[str, Any]:
        words = super().clean() or self.cleaned_data
        only_dates = bool(words.get("only_dates"))
        if only_dates and words.get("if_held") == IfHeld.LEAVE:
            self.add_error(
                "if_held",
                _(
                    "Only changing dates and leaving them as they are would do nothing: choose another."
                ),
            )
        file = words.get("file")
        if isinstance(file, UploadedFile):
            try:
                self.sheet = self._look(file, only_dates=only_dates)
            except FileRefused as refused:
                self.add_error("file", str(refused))
        return words

    def _look(self, file: UploadedFile[bytes], *, only_dates: bool) -> dict[str, Any]:
        """What is understood of the file. Its size comes first: nothing else of a large one is looked at."""
        if (file.size or 0) > settings.IMPORT_MAX_BYTES:
            reason = _(
                "The file is larger than %(limit)s. Split it and import the parts one by one."
            )
            raise FileRefused(reason % {"limit": filesizeformat(settings.IMPORT_MAX_BYTES)})
        file.open()
        return glance(cast(BinaryIO, file.file), only_dates=only_dates)

    @staticmethod
    def _offers_of(course: Course) -> list[Offer]:
        offers: list[Offer] = course.grantable  # type: ignore[attr-defined]
        return offers

    @transaction.atomic
    def save(self) -> ImportBatch:
        """Keep the file. A course of several offers, none of them chosen, is asked about next."""
        words = self.cleaned_data
        offers = {self.offers[key] for key in words["contents"] if key in self.offers}
        unclear = []
        for key in words["contents"]:
            if key not in self.courses:
                continue
            holding = self._offers_of(self.courses[key])
            if len(holding) == 1:
                offers.add(holding[0])
            elif not offers.intersection(holding):
                unclear.append(self.courses[key])
        file: UploadedFile[bytes] = words["file"]
        file.seek(0)
        return ImportBatch.objects.upload(
            content=file.read(),
            file_name=(file.name or "")[:255],
            sheet=self.sheet,
            offers=offers,
            courses=unclear,
            only_dates=words["only_dates"],
            if_held=words["if_held"],
            notify=words["notify"] and not words["only_dates"],
            language=get_language() or "",
        )


class OfferChoiceForm(forms.Form):
    """Through which offer people get a course that is in several."""

    def __init__(self, *args: Any, batch: ImportBatch, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.batch = batch
        for course in batch.courses.order_by("title", "pk"):
            self.fields[f"course_{course.pk}"] = forms.ModelChoiceField(
                Offer.objects.grantable().filter(courses=course),
                label=_("Through which offer do they get “%(course)s”?") % {"course": course},
                widget=forms.RadioSelect,
                empty_label=None,
                help_text=_("Each of them opens all its courses."),
            )

    def save(self) -> bool:
        """Begin the dry run. False if somebody else has begun it."""
        return self.batch.choose(list(self.cleaned_data.values()))
