"""The columns a list of contacts can have: what stands in them, and how they are sorted by."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import date
from functools import reduce
from typing import TYPE_CHECKING, Any

from django.db.models import Count, Expression, F, Q, prefetch_related_objects
from django.utils.html import format_html_join
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import Contact
from accounts.models.contact import LAST_ACCESS
from enrollments.models import Enrollment, Grant
from portal.ui import NOTHING
from portal.ui.states import state
from portal.ui.times import day, when

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

type Cell = Callable[[Any], object]


@dataclass(frozen=True)
class Column:
    """One column: its key in addresses, its head, and what stands in it for a contact.

    `load` looks up for a whole page what `cell` shows. `sort` is what an index is ordered by;
    `is_downward` says which way is the first that is wanted.
    """

    key: str
    label: StrOrPromise
    cell: Cell
    load: Callable[[Collection[Contact]], None] | None = None
    sort: Expression | F | None = None
    is_downward: bool = False


def _load_tags(contacts: Collection[Contact]) -> None:
    prefetch_related_objects(list(contacts), "tags")


def _tags(contact: Contact) -> object:
    return format_html_join(
        " ", '<span class="chip">{}</span>', ((tag,) for tag in contact.tags.all())
    )


def _load_offers(contacts: Collection[Contact]) -> None:
    """What opens for each of them now, and until when; one statement for the page."""
    held: dict[int, dict[str, date | None]] = {contact.pk: {} for contact in contacts}
    rows = Grant.objects.opening().filter(contact__in=held).order_by("offer__title", "pk")
    for pk, title, ends_on in rows.values_list("contact_id", "offer__title", "ends_on"):
        mine = held[pk]
        mine[title] = _later(mine[title], ends_on) if title in mine else ends_on
    for contact in contacts:
        contact.open_offers = held[contact.pk]  # type: ignore[attr-defined]


def _later(one: date | None, other: date | None) -> date | None:
    """The later of two last days; None is no end."""
    return max(one, other) if one and other else None


def _offers(contact: Any) -> object:
    return ", ".join(contact.open_offers) or NOTHING


def _ends(contact: Any) -> object:
    """When the last of what opens ends."""
    if not contact.open_offers:
        return NOTHING
    last = reduce(_later, contact.open_offers.values())
    return day(last) if last else _("No end")


def _load_progress(contacts: Collection[Contact]) -> None:
    """How many courses each is enrolled in, and has completed; one statement for the page."""
    rows = (
        Contact.objects.filter(pk__in=[contact.pk for contact in contacts])
        .annotate(
            enrolled=Count("enrollments"),
            completed=Count("enrollments", filter=Q(enrollments__completed_at__isnull=False)),
        )
        .values_list("pk", "enrolled", "completed")
    )
    found = {pk: (enrolled, completed) for pk, enrolled, completed in rows}
    for contact in contacts:
        contact.learning = found[contact.pk]  # type: ignore[attr-defined]


def _courses(contact: Any) -> object:
    enrolled, completed = contact.learning
    if not enrolled:
        return NOTHING
    return _("%(enrolled)d, %(completed)d completed") % {
        "enrolled": enrolled,
        "completed": completed,
    }


def _load_cohorts(contacts: Collection[Contact]) -> None:
    """The cohorts each is in, by the titles of their courses; one statement for the page."""
    titles: dict[int, list[str]] = {contact.pk: [] for contact in contacts}
    rows = Enrollment.objects.filter(contact__in=titles, cohort__isnull=False)
    named = rows.order_by("course__title", "pk").values_list(
        "contact_id", "course__title", "cohort__title"
    )
    for pk, course, cohort in named:
        titles[pk].append(f"{course}: {cohort}")
    for contact in contacts:
        contact.cohort_titles = titles[contact.pk]  # type: ignore[attr-defined]


def _cohorts(contact: Any) -> object:
    return ", ".join(contact.cohort_titles) or NOTHING


COLUMNS = {
    column.key: column
    for column in (
        Column("email", gettext_lazy("E-mail"), lambda row: row.email, sort=F("email")),
        Column("phone", gettext_lazy("Phone"), lambda row: row.phone or NOTHING),
        Column("external_id", gettext_lazy("External id"), lambda row: row.external_id or NOTHING),
        Column("tags", gettext_lazy("Tags"), _tags, load=_load_tags),
        Column("portal", gettext_lazy("Portal"), lambda row: state(row.portal_status)),
        Column("offers", gettext_lazy("Active offers"), _offers, load=_load_offers),
        Column("ends", gettext_lazy("Access ends"), _ends, load=_load_offers),
        Column("courses", gettext_lazy("Courses"), _courses, load=_load_progress),
        Column("cohorts", gettext_lazy("Cohorts"), _cohorts, load=_load_cohorts),
        Column("invited", gettext_lazy("Invited"), lambda row: day(row.invited_at)),
        Column("joined", gettext_lazy("Joined"), lambda row: day(row.joined_at)),
        Column(
            "last_access",
            gettext_lazy("Last access"),
            lambda row: when(row.last_seen_at, empty=_("Never")),
            sort=LAST_ACCESS,
            is_downward=True,
        ),
        Column(
            "created",
            gettext_lazy("Created"),
            lambda row: day(row.created_at),
            sort=F("pk"),
            is_downward=True,
        ),
    )
}
# What every row begins with: its name, sorted by what is searched, with the address below it.
NAME = Column("name", gettext_lazy("Name"), str, sort=F("search_text"))


def load(columns: Collection[Column], contacts: Collection[Contact]) -> None:
    """Look up what these columns show; one statement for each kind of thing."""
    for loader in dict.fromkeys(column.load for column in columns if column.load):
        loader(contacts)
