"""Bulk actions: small registered objects that do one thing to many contacts, in slices, with Undo where possible.

An app adds its own by registering an `Action` when it is ready.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any, ClassVar

from django import forms
from django.db.models import Model, Q
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from accounts.forms.contact import BlockForm, TagField
from accounts.models import BulkRun, Contact, Role, Tag
from accounts.models.bulk import Outcome
from accounts.models.contact import ContactQuerySet
from accounts.people import tag_many, untag_many
from portal.events import Name
from portal.models import Event

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise


@dataclass(frozen=True)
class Result:
    """What an action did for one contact, and if it did not, why."""

    outcome: Outcome
    reason: str = ""


CHANGED, UNCHANGED = Result(Outcome.CHANGED), Result(Outcome.UNCHANGED)

type Results = dict[int, Result]  # by the contact's pk; whoever is missing was left unchanged


def _plain(value: Any) -> Any:
    if isinstance(value, Model):
        return value.pk
    return value.isoformat() if isinstance(value, date) else value


class Action(ABC):
    """One thing that can be done to many contacts. What happened is also in the log, caused by `run.cause`."""

    key: ClassVar[str]
    label: ClassVar[StrOrPromise]
    icon: ClassVar[str] = "check"
    permission: ClassVar[str] = "manage_contacts"
    is_dangerous: ClassVar[bool] = False
    batch: ClassVar[int] = 2000  # contacts a transaction
    form: ClassVar[type[forms.Form]] = forms.Form

    def terms(self, words: dict[str, Any]) -> dict[str, Any]:
        """What a valid form says, as JSON can hold it: nouns by their pk, days as ISO."""
        return {name: _plain(value) for name, value in words.items()}

    @abstractmethod
    def sentence(self, terms: dict[str, Any]) -> str:
        """What it does on these terms: "Add the tag “vip”"."""

    def effects(self, contacts: ContactQuerySet, terms: dict[str, Any]) -> list[str]:
        """What it would do, in numbers, to be said before it is done. Empty: it is done without asking."""
        return []

    @abstractmethod
    def run(self, contact_ids: Sequence[int], terms: dict[str, Any], run: BulkRun) -> Results:
        """Do it to one batch, whose contacts no other batch of the run has. The caller holds the transaction."""


class Undoable(Action):
    """An action that can be taken back."""

    @abstractmethod
    def undo(
        self, contact_ids: Sequence[int], terms: dict[str, Any], run: BulkRun
    ) -> Collection[int]:
        """Take it back for those it changed, where nobody has changed it since; returns for whom it did."""


def untouched(
    contact_ids: Sequence[int], names: Sequence[Name], run: BulkRun, about: Q | None = None
) -> list[int]:
    """Of these contacts, those of whom the last event like this (of `names`, and `about`) is the run's own."""
    told = Event.objects.filter(about or Q(), contact__in=contact_ids, name__in=names)
    latest = told.order_by("contact_id", "-pk").distinct("contact_id")
    last = dict(latest.values_list("contact_id", "cause"))
    return [pk for pk in contact_ids if last.get(pk) == run.cause]


ACTIONS: dict[str, Action] = {}


def register(action: type[Action]) -> type[Action]:
    """Offer an action, in this order, on the contact list."""
    ACTIONS[action.key] = action()
    return action


class TagForm(forms.Form):
    """One tag, new or known."""

    tag = TagField(label=gettext_lazy("Tag"))


class KnownTagForm(forms.Form):
    """One of the tags there are."""

    tag = forms.ModelChoiceField(Tag.objects.all(), label=gettext_lazy("Tag"), to_field_name="name")


def _still_tagged(contact_ids: Sequence[int], terms: dict[str, Any], run: BulkRun) -> list[int]:
    """Those whose tag nobody else put on or took off since."""
    tag = [terms["tag"]]
    about = Q(data__added__contains=tag) | Q(data__removed__contains=tag)
    return untouched(contact_ids, [Name.CONTACT_TAGGED], run, about)


@register
class AddTag(Undoable):
    """Put a tag on them."""

    key = "tag"
    label = gettext_lazy("Add a tag")
    icon = "tag"
    form = TagForm

    def sentence(self, terms: dict[str, Any]) -> str:
        return _("Add the tag “%s”") % str(terms["tag"])

    def run(self, contact_ids: Sequence[int], terms: dict[str, Any], run: BulkRun) -> Results:
        return dict.fromkeys(tag_many({pk: [terms["tag"]] for pk in contact_ids}), CHANGED)

    def undo(
        self, contact_ids: Sequence[int], terms: dict[str, Any], run: BulkRun
    ) -> Collection[int]:
        return untag_many(_still_tagged(contact_ids, terms, run), terms["tag"])


@register
class RemoveTag(Undoable):
    """Take a tag off them."""

    key = "untag"
    label = gettext_lazy("Remove a tag")
    icon = "tag"
    form = KnownTagForm

    def terms(self, words: dict[str, Any]) -> dict[str, Any]:
        return {"tag": words["tag"].name}

    def sentence(self, terms: dict[str, Any]) -> str:
        return _("Remove the tag “%s”") % str(terms["tag"])

    def run(self, contact_ids: Sequence[int], terms: dict[str, Any], run: BulkRun) -> Results:
        return dict.fromkeys(untag_many(contact_ids, terms["tag"]), CHANGED)

    def undo(
        self, contact_ids: Sequence[int], terms: dict[str, Any], run: BulkRun
    ) -> Collection[int]:
        return tag_many({pk: [terms["tag"]] for pk in _still_tagged(contact_ids, terms, run)})


@register
class Block(Undoable):
    """Shut them out everywhere."""

    key = "block"
    label = gettext_lazy("Block")
    icon = "lock"
    permission = "manage_access"
    is_dangerous = True
    form = BlockForm

    def sentence(self, terms: dict[str, Any]) -> str:
        return _("Block: %s") % str(terms["reason"])

    def effects(self, contacts: ContactQuerySet, terms: dict[str, Any]) -> list[str]:
        meant = contacts.filter(blocked_at=None)
        staff = meant.filter(user__role__in=Role.values).count()
        number = meant.count() - staff
        text = ngettext(
            "Shuts %(number)d person out at once: no course opens, no link lets them in.",
            "Shuts %(number)d people out at once: no course opens, no link lets them in.",
            number,
        )
        of_staff = ngettext(
            "%(number)d is staff: what they have as a student closes, and they log in as before.",
            "%(number)d are staff: what they have as students closes, and they log in as before.",
            staff,
        )
        return [
            text % {"number": number},
            *([of_staff % {"number": staff}] if staff else []),
            _("Grants and progress are kept. Nobody is told."),
        ]

    def run(self, contact_ids: Sequence[int], terms: dict[str, Any], run: BulkRun) -> Results:
        meant = Contact.objects.filter(pk__any_of=contact_ids)
        return dict.fromkeys(meant.block(reason=terms["reason"]), CHANGED)

    def undo(
        self, contact_ids: Sequence[int], terms: dict[str, Any], run: BulkRun
    ) -> Collection[int]:
        mine = untouched(contact_ids, [Name.CONTACT_BLOCKED, Name.CONTACT_UNBLOCKED], run)
        return Contact.objects.filter(pk__any_of=mine).unblock()


@register
class Unblock(Action):
    """Let them in again."""

    key = "unblock"
    label = gettext_lazy("Unblock")
    icon = "unlock"
    permission = "manage_access"

    def sentence(self, terms: dict[str, Any]) -> str:
        return _("Unblock")

    def effects(self, contacts: ContactQuerySet, terms: dict[str, Any]) -> list[str]:
        number = contacts.filter(blocked_at__isnull=False).count()
        text = ngettext(
            "Lets %(number)d blocked person in again.",
            "Lets %(number)d blocked people in again.",
            number,
        )
        return [text % {"number": number}, _("What opens is what their grants say now.")]

    def run(self, contact_ids: Sequence[int], terms: dict[str, Any], run: BulkRun) -> Results:
        return dict.fromkeys(Contact.objects.filter(pk__any_of=contact_ids).unblock(), CHANGED)
