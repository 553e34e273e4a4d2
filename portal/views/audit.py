"""The audit: who did what to whom, when, and from where. Read, filtered and exported; never changed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any, cast

from django import forms
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models, transaction
from django.db.models import Q, QuerySet
from django.http import HttpResponse, HttpResponseBase, QueryDict, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.http import content_disposition_header
from django.utils.text import slugify
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy
from django.views.decorators.http import require_POST

from accounts.decorators import staff_required
from accounts.http import StaffRequest
from accounts.models import Contact, User
from accounts.models.contact import normalize_email
from portal import spreadsheets
from portal.addresses import is_pk
from portal.events import Name, record
from portal.models import Event, School
from portal.paging import Page, Place
from portal.sentences import Sentence, sentences
from portal.spreadsheets import Column, Kind

PAGE = 50


class Who(models.TextChoices):
    """Whose doing is asked for, if it is not one person's."""

    STAFF = "staff", gettext_lazy("All staff")
    STUDENTS = "students", gettext_lazy("Students")
    SYSTEM = "system", gettext_lazy("The system")
    EVERYBODY = "everybody", gettext_lazy("Everybody")


# The names of events by what they are about; the first word of a name decides.
GROUPS = {
    "access": (gettext_lazy("Access"), {"offer", "enrollment"}),
    "people": (gettext_lazy("Contacts"), {"contact", "note", "segment", "message"}),
    "logins": (
        gettext_lazy("Logins"),
        {"portal", "magic_link", "password", "login", "session", "second_factor"},
    ),
    "simulation": (gettext_lazy("Simulated sessions"), {"simulation"}),
    "learning": (
        gettext_lazy("Courses"),
        {"course", "module", "lesson", "quiz", "question", "cohort", "comment"},
    ),
    "files": (gettext_lazy("Imports and exports"), {"import", "export"}),
    "school": (gettext_lazy("Roles and settings"), {"role", "settings"}),
}


def _names(group: str) -> list[Name]:
    return [name for name in Name if name.value.partition(".")[0] in GROUPS[group][1]]


def with_people(events: QuerySet[Event]) -> QuerySet[Event]:
    """The events with who and whom, so that naming them asks nothing more."""
    return events.select_related("actor__contact", "contact")


class _DayField(forms.DateField):
    """A day that can be meant."""

    widget = forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"})
    default_validators = [
        MinValueValidator(date(1900, 1, 1)),
        MaxValueValidator(date(2999, 12, 31)),
    ]


def _choices(form: forms.Form, name: str) -> forms.ChoiceField:
    return cast(forms.ChoiceField, form.fields[name])


class AuditForm(forms.Form):
    """What of the log is asked for. Says who, what, whom and when."""

    who = forms.ChoiceField(label=gettext_lazy("Who"), required=False)
    what = forms.ChoiceField(label=gettext_lazy("What"), required=False)
    whom = forms.CharField(
        label=gettext_lazy("Whom"),
        required=False,
        max_length=254,
        widget=forms.TextInput(
            attrs={"placeholder": gettext_lazy("E-mail or id"), "autocomplete": "off"}
        ),
    )
    since = _DayField(label=gettext_lazy("Since"), required=False)
    until = _DayField(label=gettext_lazy("Until"), required=False)
    batches = forms.BooleanField(
        label=gettext_lazy("With every row of imports and bulk actions"), required=False
    )

    def __init__(self, query: QueryDict) -> None:
        super().__init__({"who": Who.STAFF} | query.dict())
        self.staff = list(User.objects.exclude(role="").select_related("contact").order_by("email"))
        _choices(self, "who").choices = [
            *Who.choices,
            (_("Staff"), [(str(user.pk), str(user)) for user in self.staff]),
        ]
        _choices(self, "what").choices = [
            ("", _("Anything")),
            *((label, list(self._things(group))) for group, (label, _words) in GROUPS.items()),
        ]

    def _things(self, group: str) -> Iterator[tuple[str, str]]:
        yield group, _("%s: all") % GROUPS[group][0]
        yield from ((name.value, str(name.label)) for name in _names(group))

    def clean_whom(self) -> Contact | None:
        """The one contact with this address or id."""
        text = self.cleaned_data["whom"].strip()
        if not text:
            return None
        wanted = Q(pk=int(text)) if is_pk(text) else Q(email=normalize_email(text))
        if found := Contact.objects.filter(wanted).first():
            return found
        raise forms.ValidationError(_("No contact has this address or id."))

    def page(self, place: Place) -> Page[Event]:
        """The events at this place among those that are asked for. One statement.

        What all staff did is looked for one by one, each in their own part of an index: among
        everything that students do it would be rare.
        """
        found = self.events()
        chosen = place.cut(found).values("pk")
        asked = self.cleaned_data if self.is_valid() else {}
        if asked and asked["who"] in ("", Who.STAFF) and not asked["whom"]:
            parts = [place.cut(found.filter(actor=user)).values("pk") for user in self.staff]
            chosen = parts[0].union(*parts[1:], all=True)
        return place.page(with_people(Event.objects.filter(pk__in=chosen)))

    def events(self) -> QuerySet[Event]:
        """All that is asked for, newest first. Nothing while something cannot be understood."""
        if not self.is_valid():
            return Event.objects.none()
        asked = self.cleaned_data
        found = Event.objects.filter(self._by(asked["who"]))
        if not asked["batches"]:
            found = found.exclude(cause__startswith="import:").exclude(cause__startswith="bulk:")
            found = found.exclude(cause__startswith="undo:")
        if what := asked["what"]:
            found = found.filter(name__in=_names(what) if what in GROUPS else [what])
        if asked["whom"]:
            found = found.filter(contact=asked["whom"])
        school = School.current()
        if asked["since"]:
            found = found.filter(occurred_at__gte=school.start_of(asked["since"]))
        if asked["until"]:
            found = found.filter(occurred_at__lt=school.end_of(asked["until"]))
        return found.order_by("-pk")

    def _by(self, who: str) -> Q:
        staff = [user.pk for user in self.staff]
        match who:
            case Who.SYSTEM:
                return Q(actor=None)
            case Who.STUDENTS:
                return Q(actor__isnull=False) & ~Q(actor__in=staff)
            case Who.EVERYBODY:
                return Q()
            case Who.STAFF | "":
                return Q(actor__isnull=False, actor__in=staff)
            case _:
                return Q(actor__isnull=False, actor=int(who))


@dataclass(frozen=True)
class Line:
    """One event, as a line of the audit."""

    event: Event
    said: Sentence

    @property
    def who(self) -> str:
        return str(self.event.actor or _("The system"))

    @property
    def cause(self) -> tuple[str, str]:
        """Of what it was a part, in words, and its address."""
        kind, _colon, number = self.event.cause.partition(":")
        if kind == "import" and is_pk(number):
            return _("Import %s") % number, reverse("enrollments:import_detail", args=[number])
        if kind == "bulk" and is_pk(number):
            return _("Bulk action %s") % number, reverse("portal:bulk_detail", args=[number])
        return self.event.cause, ""


def _lines(events: list[Event]) -> list[Line]:
    return [Line(*told) for told in zip(events, sentences(events), strict=True)]


@staff_required("view_audit")
def audit_list(request: StaffRequest) -> HttpResponse:
    """A page of the log, newest first: what staff did by hand, if nothing else is asked for."""
    form = AuditForm(request.GET)
    place = Place(request.GET, size=PAGE)
    page = form.page(place)
    context = {
        "form": form,
        "page": page,
        "lines": _lines(page.rows),
        "is_filtered": bool(place.kept),
        "filters": list(place.kept.items()),
    }
    return render(request, "portal/dashboard/audit_list.html", context)


@staff_required("view_audit")
def audit_detail(request: StaffRequest, pk: int) -> HttpResponse:
    """One event with all that was written down about it."""
    event = get_object_or_404(with_people(Event.objects.all()), pk=pk)
    [line] = _lines([event])
    facts = [(key, _fact(value)) for key, value in event.data.items()]
    context = {"line": line, "event": event, "facts": facts}
    return render(request, "portal/dashboard/audit_detail.html", context)


def _fact(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


COLUMNS = (
    Column(pgettext_lazy("export", "When"), Kind.MOMENT),
    Column(pgettext_lazy("export", "Who")),
    Column(pgettext_lazy("export", "What")),
    Column(pgettext_lazy("export", "Details")),
    Column(pgettext_lazy("export", "Name")),
    Column(pgettext_lazy("export", "Email")),
    Column(pgettext_lazy("export", "From")),
    Column(pgettext_lazy("export", "Event")),
    Column(pgettext_lazy("export", "Cause")),
)


@require_POST
@staff_required("view_audit")
def audit_export(request: StaffRequest) -> HttpResponseBase:
    """All that the filter finds, as a CSV that is sent while it is read."""
    form = AuditForm(request.POST)
    if not form.is_valid():
        return redirect(f"{reverse('portal:audit_list')}?{_query(request.POST)}")
    with transaction.atomic():
        record(Name.EXPORT_MADE, what="audit", format="csv", query=_query(request.POST), chosen=0)
    rows = spreadsheets.csv_stream(COLUMNS, _rows(form.events()))
    name = f"{slugify(_('Audit')) or 'audit'}-{School.current().today()}.csv"
    response = StreamingHttpResponse(rows, content_type=spreadsheets.CSV)
    response["Content-Disposition"] = content_disposition_header(as_attachment=True, filename=name)
    return response


def _rows(events: QuerySet[Event]) -> Iterator[spreadsheets.Batch]:
    """The lines of the file, a statement or a few for each batch: nothing is held open in between."""
    batch = list(with_people(events)[: spreadsheets.BATCH])
    while batch:
        yield [
            (
                localtime(line.event.occurred_at).replace(tzinfo=None),
                line.who,
                line.said.text,
                line.said.detail,
                line.event.contact and line.event.contact.name,
                line.event.contact and line.event.contact.email,
                line.event.address,
                line.event.name,
                line.cause[0],
            )
            for line in _lines(batch)
        ]
        batch = list(with_people(events.filter(pk__lt=batch[-1].pk))[: spreadsheets.BATCH])


def _query(posted: QueryDict) -> str:
    """The filter as an address, without what is only of the form."""
    query = QueryDict(mutable=True)
    query.update({key: str(posted[key]) for key in AuditForm.base_fields if posted.get(key)})
    return query.urlencode()
