"""Bulk actions on access: grant, revoke, move the end."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, timedelta
from typing import Any

from django.db.models import Exists, OuterRef, Q, Subquery
from django.utils.dateparse import parse_date
from django.utils.formats import date_format
from django.utils.timezone import now
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from accounts.bulk import CHANGED, Action, Result, Results, Undoable, register
from accounts.models import BulkRun, Contact
from accounts.models.bulk import Outcome as Done
from accounts.models.contact import ContactQuerySet
from enrollments.cohorts import cohorts_back
from enrollments.forms.bulk import GrantOfferForm, RevokeOfferForm, SetEndForm
from enrollments.forms.dates import is_reversed
from enrollments.models import Grant, Outcome
from offers.models import Cohort, Offer
from portal.events import Name
from portal.models import Event, School


def _offer(terms: dict[str, Any]) -> Offer:
    return Offer.objects.get(pk=terms["offer"])


def _cohorts(terms: dict[str, Any]) -> list[Cohort]:
    """Into which those come who get something. Runs of before there were cohorts name none."""
    return list(Cohort.objects.filter(pk__in=terms.get("cohorts", [])).select_related("course"))


def _until(day: str | None) -> str:
    """A last day as JSON keeps it, in words."""
    found = parse_date(day) if day else None
    return _("until %s") % date_format(found) if found else _("without an end")


def _recorded(name: Name, contact_ids: Sequence[int], run: BulkRun) -> list[Event]:
    """What a run recorded about these contacts."""
    return list(
        Event.objects.filter(contact__in=contact_ids, cause=run.cause, name=name).order_by("pk")
    )


@register
class GrantOffer(Undoable):
    """Give them an offer."""

    key = "grant"
    label = gettext_lazy("Grant an offer")
    icon = "key"
    permission = "manage_access"
    form = GrantOfferForm

    def terms(self, words: dict[str, Any]) -> dict[str, Any]:
        plain = {name: word for name, word in words.items() if not name.startswith("cohort")}
        return super().terms(plain) | {"cohorts": [cohort.pk for cohort in words["cohorts"]]}

    def sentence(self, terms: dict[str, Any]) -> str:
        offer = _offer(terms)
        if terms["mode"] == "default":
            return _("Grant “%s”") % offer
        return _("Grant “%(offer)s” %(until)s") % {"offer": offer, "until": _until(terms["day"])}

    def effects(self, contacts: ContactQuerySet, terms: dict[str, Any]) -> list[str]:
        offer, number = _offer(terms), contacts.count()
        held = contacts.filter(pk__in=Grant.objects.held().filter(offer=offer).values("contact"))
        holding = held.count()
        new = ngettext(
            "%(number)d person gets “%(offer)s”.",
            "%(number)d people get “%(offer)s”.",
            number - holding,
        )
        sentences = [new % {"number": number - holding, "offer": offer}]
        if blocked := contacts.filter(blocked_at__isnull=False).count():
            text = ngettext(
                "%d is blocked: nothing opens for them, and no mail goes to them.",
                "%d are blocked: nothing opens for them, and no mail goes to them.",
                blocked,
            )
            sentences.append(text % blocked)
        if holding:
            kept = {
                "leave": ngettext(
                    "%d holds it already and keeps what they have.",
                    "%d hold it already and keep what they have.",
                    holding,
                ),
                "extend": ngettext(
                    "%d holds it already: their end moves if the new one is later.",
                    "%d hold it already: their end moves if the new one is later.",
                    holding,
                ),
                "set": ngettext(
                    "%d holds it already: their end is set to the new one.",
                    "%d hold it already: their end is set to the new one.",
                    holding,
                ),
            }
            sentences.append(kept[terms["if_held"]] % holding)
        for cohort in _cohorts(terms):
            text = _("In “%(course)s” they come into the cohort “%(cohort)s”.")
            sentences.append(text % {"course": cohort.course, "cohort": cohort})
        if not terms["notify"] or not School.current().mails_access:
            return [*sentences, _("Nobody is told by mail.")]
        courses = list(offer.courses.all())
        if not offer.is_active:
            sentences.append(
                _("The offer is not active: it opens nothing, and nobody is told by mail.")
            )
        elif courses and not any(course.is_published for course in courses):
            sentences.append(_("No course of it is published: nobody is told by mail."))
        elif number > holding:
            sentences.append(_("Who gets it is told by one mail with the way in."))
        return sentences

    def run(self, contact_ids: Sequence[int], terms: dict[str, Any], run: BulkRun) -> Results:
        offer, ends = _offer(terms), dict[int, date | None]()
        if terms["mode"] != "default":
            ends = dict.fromkeys(contact_ids, parse_date(terms["day"]) if terms["day"] else None)
        elif terms["if_held"] != "leave":  # then the default is an end like any other
            ends = dict.fromkeys(contact_ids, offer.default_end(School.current().today()))
        outcomes = Grant.objects.grant_many(
            contact_ids=contact_ids,
            offer=offer,
            source="manual",
            ends=ends,
            if_held=terms["if_held"],
            notify=terms["notify"],
            note=terms["note"],
            cohorts=_cohorts(terms),
        )
        return {pk: CHANGED for pk, outcome in outcomes.items() if outcome != Outcome.UNCHANGED}

    def undo(
        self, contact_ids: Sequence[int], terms: dict[str, Any], run: BulkRun
    ) -> Collection[int]:
        granted = {
            event.data["grant"]: event
            for event in _recorded(Name.OFFER_GRANTED, contact_ids, run)
            if "before" not in event.data
        }
        moved = _moved(contact_ids, run)
        left = _as_left(contact_ids, {pk: event.data for pk, event in granted.items()} | moved)
        opened_again = _ends_before({pk: granted[pk] for pk in granted.keys() & left.keys()})
        given = granted.keys() & left.keys() - opened_again.keys()
        reason = _("Undone: bulk action %d") % run.pk
        Grant.objects.filter(pk__in=given).revoke(reason=reason)
        back = {pk: _before(moved[pk]) for pk in moved.keys() & left.keys()}
        Grant.objects.set_ends(opened_again | back)
        return {*left.values(), *cohorts_back(contact_ids, run)}


@register
class RevokeOffer(Action):
    """Take an offer from them, from whatever source they have it."""

    key = "revoke"
    label = gettext_lazy("Revoke an offer")
    icon = "x"
    permission = "manage_access"
    is_dangerous = True
    form = RevokeOfferForm

    def sentence(self, terms: dict[str, Any]) -> str:
        return _("Revoke “%s”") % _offer(terms)

    def effects(self, contacts: ContactQuerySet, terms: dict[str, Any]) -> list[str]:
        offer = _offer(terms)
        theirs = Grant.objects.filter(offer=offer, revoked_at=None, contact__in=contacts.order_by())
        everybody = theirs.values("contact").distinct().count()
        people = theirs.held().values("contact").distinct().count()
        courses = offer.courses.count()
        ends = ngettext(
            "Ends “%(offer)s” for %(number)d person at once.",
            "Ends “%(offer)s” for %(number)d people at once.",
            people,
        )
        holds = ngettext(
            "It holds %d course; whoever has another grant of it keeps it.",
            "It holds %d courses; whoever has another grant of one keeps that.",
            courses,
        )
        over = ngettext(
            "For %d it had ended already: they cannot be given more time any more.",
            "For %d it had ended already: they cannot be given more time any more.",
            everybody - people,
        )
        return [
            ends % {"offer": offer, "number": people},
            *([over % (everybody - people)] if everybody > people else []),
            holds % courses,
            _("Progress is kept. Nobody is told by mail, and no payment is refunded."),
        ]

    def run(self, contact_ids: Sequence[int], terms: dict[str, Any], run: BulkRun) -> Results:
        theirs = Grant.objects.filter(
            contact__in=contact_ids, offer=terms["offer"], revoked_at=None
        )
        holders = set(theirs.values_list("contact_id", flat=True))
        theirs.revoke(reason=terms["reason"])
        return dict.fromkeys(holders, CHANGED)


@register
class SetEnd(Undoable):
    """Move the last day of an offer for those who hold it."""

    key = "set_end"
    label = gettext_lazy("Change the end date")
    icon = "calendar"
    permission = "manage_access"
    form = SetEndForm

    def sentence(self, terms: dict[str, Any]) -> str:
        offer = _offer(terms)
        match terms["mode"]:
            case "extend":
                text = ngettext(
                    "Move the end of “%(offer)s” by %(days)d day",
                    "Move the end of “%(offer)s” by %(days)d days",
                    terms["days"],
                )
                return text % {"offer": offer, "days": terms["days"]}
            case "default":
                return _("Let “%(offer)s” last as long as the offer says now") % {"offer": offer}
        return _("“%(offer)s” %(until)s") % {"offer": offer, "until": _until(terms["day"])}

    def effects(self, contacts: ContactQuerySet, terms: dict[str, Any]) -> list[str]:
        offer = _offer(terms)
        targets = list(_targets(contacts.order_by().values("pk"), terms))
        ends = _new_ends(targets, terms, offer=offer)
        changing = [grant for grant in targets if _moves(grant, ends[grant.pk])]
        moving = {grant.contact_id for grant in changing}
        text = ngettext(
            "Moves the end of “%(offer)s” for %(number)d person.",
            "Moves the end of “%(offer)s” for %(number)d people.",
            len(moving),
        )
        sentences = [text % {"offer": offer, "number": len(moving)}]
        today = School.current().today()
        over = len({grant.contact_id for grant in changing if _is_over(ends[grant.pk], today)})
        if over:
            text = ngettext(
                "For %d of them that day is over: access ends at once.",
                "For %d of them that day is over: access ends at once.",
                over,
            )
            sentences.append(text % over)
        return [*sentences, _("All courses of the offer move with it. Nobody is told by mail.")]

    def run(self, contact_ids: Sequence[int], terms: dict[str, Any], run: BulkRun) -> Results:
        targets = list(_targets(contact_ids, terms).select_for_update(of=["self"]))
        ends = _new_ends(targets, terms, offer=_offer(terms))
        changing = {grant.pk: grant for grant in targets if _moves(grant, ends[grant.pk])}
        Grant.objects.set_ends({pk: ends[pk] for pk in changing})
        holders = {grant.contact_id for grant in targets}
        early = {grant.contact_id for grant in targets if is_reversed(grant, ends[grant.pk])}
        missing = Result(Done.REFUSED, _("Does not hold the offer."))
        reversed_ = Result(Done.REFUSED, _("The last day is before the first."))
        return {
            **dict.fromkeys(set(contact_ids) - holders, missing),
            **dict.fromkeys(early, reversed_),
            **{grant.contact_id: CHANGED for grant in changing.values()},
        }

    def undo(
        self, contact_ids: Sequence[int], terms: dict[str, Any], run: BulkRun
    ) -> Collection[int]:
        moved = _moved(contact_ids, run)
        left = _as_left(contact_ids, moved)
        Grant.objects.set_ends({pk: _before(moved[pk]) for pk in left})
        return {*left.values()}


def _moves(grant: Grant, day: date | None) -> bool:
    """Whether `day` is another last day than it has, and none before its first."""
    return day != grant.ends_on and not is_reversed(grant, day)


def _is_over(day: date | None, today: date) -> bool:
    return day is not None and day < today


def _targets(contacts: Any, terms: dict[str, Any]) -> Any:
    """The grants whose end moves: those that are held; of who holds none, the last that ended.

    What ended is opened again by a new day, not by more days. Dates of a subscription belong to Stripe.
    """
    same = Grant.objects.filter(
        contact=OuterRef("contact"), offer=OuterRef("offer"), revoked_at=None
    )
    is_held = Q(ends_at=None) | Q(ends_at__gt=now())
    if terms["mode"] in ("set", "none"):
        last = Subquery(same.order_by("-ends_at", "-pk").values("pk")[:1])
        is_held |= ~Exists(same.held()) & Q(pk=last)
    theirs = Grant.objects.filter(
        is_held, contact__in=contacts, offer=terms["offer"], revoked_at=None
    )
    return theirs.exclude(source__startswith="subscription:").order_by("pk")


def _new_ends(
    grants: Iterable[Grant], terms: dict[str, Any], *, offer: Offer
) -> dict[int, date | None]:
    """Grant's pk -> its last day on these terms. What has no end is not extended: it stays so."""
    zone = School.current().zone
    match terms["mode"]:
        case "extend":
            longer = timedelta(days=terms["days"])
            return {grant.pk: grant.ends_on and grant.ends_on + longer for grant in grants}
        case "default":
            return {
                grant.pk: offer.default_end(grant.starts_at.astimezone(zone).date())
                for grant in grants
            }
    day = parse_date(terms["day"]) if terms["day"] else None
    return {grant.pk: day for grant in grants}


def _ends_before(granted: dict[int, Event]) -> dict[int, date | None]:
    """Of grants a run opened again (grant's pk -> the event that says so): the day each had ended on."""
    earlier = Event.objects.filter(
        contact__in={event.contact_id for event in granted.values()},
        name__in=[Name.OFFER_GRANTED, Name.OFFER_EXTENDED],
        data__grant__in=list(granted),
    )
    ends: dict[int, date | None] = {}
    for pk, data in earlier.order_by("pk").values_list("pk", "data"):
        if pk < granted[data["grant"]].pk:
            ends[data["grant"]] = parse_date(data["ends_on"]) if data["ends_on"] else None
    return ends


def _as_left(contact_ids: Sequence[int], told: Mapping[int, dict[str, Any]]) -> dict[int, int]:
    """Of grants and what a run recorded of each, those that nobody revoked or moved since, with their contacts.

    They stay so until the transaction ends. Locked as grants are given, contacts first, and all at
    once: so that whoever moves an end meanwhile waits, and no two wait for each other.
    """
    list(
        Contact.objects.filter(pk__any_of=list(contact_ids))
        .order_by("pk")
        .select_for_update(no_key=True)
        .values_list("pk")
    )
    grants = Grant.objects.filter(pk__any_of=list(told), revoked_at=None).order_by("pk")
    locked = grants.select_for_update(no_key=True).values_list("pk", "contact_id", "ends_on")
    return {
        pk: contact
        for pk, contact, ends_on in locked
        if (ends_on.isoformat() if ends_on else None) == told[pk]["ends_on"]
    }


def _moved(contact_ids: Sequence[int], run: BulkRun) -> dict[int, dict[str, Any]]:
    """Grant's pk -> what a run recorded when it moved the end."""
    return {
        event.data["grant"]: event.data
        for name in (Name.OFFER_EXTENDED, Name.OFFER_GRANTED)
        for event in _recorded(name, contact_ids, run)
        if "before" in event.data
    }


def _before(moved: Mapping[str, Any]) -> date | None:
    """The last day a grant had before its end was moved."""
    return parse_date(moved["before"]) if moved["before"] else None
