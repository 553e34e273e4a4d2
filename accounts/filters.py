"""Filters of contacts by what stands on the contact: tags, days, consent, the wish to be erased."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Any, ClassVar

from django.db.models import Model, OuterRef, Q, QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, pgettext, pgettext_lazy

from accounts.models import Contact, Link, Tag
from accounts.models.link import Purpose
from accounts.selection import DayFilter, Filter, Unclear, Widget, exists, named, register
from portal.addresses import is_pk
from portal.models import School

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise


@register
class TagFilter(Filter):
    """Has one of these tags."""

    key = "tag"
    label = gettext_lazy("Tag")

    def choices(self) -> Iterable[tuple[str, str]]:
        return named(Tag.objects.all(), label="name")

    def rows(self, operator: str, value: Any, *, scope: str) -> Q:
        tagged: QuerySet[Model] = Contact.tags.through._default_manager.filter(
            contact=OuterRef("pk"), tag__in=value
        )
        return exists(tagged)


class MomentFilter(DayFilter):
    """A question about a moment of the contact's own, by the day it was on in the school's zone."""

    column: ClassVar[str]

    def rows(self, operator: str, value: Any, *, scope: str) -> Q:
        if operator == "never":
            return Q(**{f"{self.column}__isnull": True})
        if operator == "before":
            return Q(**{f"{self.column}__lt": School.current().start_of(value)})
        return Q(**{f"{self.column}__gte": School.current().start_of(value + timedelta(days=1))})


@register
class LastAccessFilter(MomentFilter):
    """When they were last in the portal."""

    key = "last_access"
    label = gettext_lazy("Last access")
    column = "last_seen_at"
    operators: ClassVar[dict[str, StrOrPromise]] = DayFilter.operators | {
        "never": gettext_lazy("never")
    }
    valueless = frozenset({"never"})


@register
class CreatedFilter(MomentFilter):
    """When they became a contact."""

    key = "created"
    label = gettext_lazy("Created")
    column = "created_at"


@register
class InactiveFilter(Filter):
    """Who was in the portal once, and not for so many days."""

    key = "inactive"
    label = gettext_lazy("Inactive")
    widget: ClassVar[Widget] = "number"
    operators: ClassVar[dict[str, StrOrPromise]] = {"days": pgettext_lazy("filter", "for")}

    def clean(self, value: str) -> int:
        if not (is_pk(value) and len(value) < 5 and 0 < int(value) <= 3650):
            raise Unclear(_("Choose a number of days from 1 to 3650."))
        return int(value)

    def say(self, value: str) -> str:
        days = self.clean(value)
        return ngettext("%d day", "%d days", days) % days

    def rows(self, operator: str, value: Any, *, scope: str) -> Q:
        since: datetime = School.current().start_of(
            School.current().today() - timedelta(days=value)
        )
        return Q(last_seen_at__lt=since)


@register
class MailingListFilter(Filter):
    """What they agreed to be written to about."""

    key = "list"
    label = gettext_lazy("Mailing list")

    def choices(self) -> Iterable[tuple[str, str]]:
        return [("newsletter", _("Newsletter")), ("promotions", _("Promotions"))]

    def rows(self, operator: str, value: Any, *, scope: str) -> Q:
        return reduce(or_, (Q(**{f"{each}_at__isnull": False}) for each in value))


@register
class InvitationFilter(Filter):
    """Whether an invitation waits for them that they can still accept."""

    key = "invitation"
    label = gettext_lazy("Invitation")

    def choices(self) -> Iterable[tuple[str, str]]:
        return [("open", pgettext("invitation", "open"))]

    def rows(self, operator: str, value: Any, *, scope: str) -> Q:
        theirs = Link.objects.usable().filter(purpose=Purpose.INVITATION)
        return exists(theirs.filter(user__contact=OuterRef("pk")))


@register
class ErasureFilter(Filter):
    """Who asked to be erased, and waits for an answer."""

    key = "erasure"
    label = gettext_lazy("Erasure")

    def choices(self) -> Iterable[tuple[str, str]]:
        return [("asked", _("asked for"))]

    def rows(self, operator: str, value: Any, *, scope: str) -> Q:
        return Q(erasure_asked_at__isnull=False)
