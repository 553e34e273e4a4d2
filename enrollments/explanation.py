"""The reasons of this app: what closes a course, what opens it, and how somebody gets in at all."""

from __future__ import annotations

from collections.abc import Iterator

from django.urls import reverse
from django.utils.translation import gettext as _

from accounts.models import Contact, User
from accounts.models.link import Section
from enrollments.models import Grant
from enrollments.reasons import Bearing, Button, Question, Reason, on, reason

# What closes the course


@reason
def blocked(question: Question) -> Iterator[Reason]:
    """Nothing opens for a blocked contact."""
    contact = question.contact
    if not contact.is_blocked:
        return
    text = _("The contact is blocked since %(day)s.")
    if contact.block_reason:
        text = _("The contact is blocked since %(day)s: %(reason)s")
    yield Reason(
        "blocked",
        text % {"day": on(contact.blocked_at), "reason": contact.block_reason},
        Bearing.CLOSES,
        _("Unblock the contact."),
        Button(
            _("Unblock"),
            reverse("accounts:contact_unblock", args=[contact.pk]),
            "manage_access",
            "post",
        ),
    )


@reason
def course_unpublished(question: Question) -> Iterator[Reason]:
    """A draft is not there yet, an archived course no more."""
    course = question.course
    if course.is_published:
        return
    yield Reason(
        "course_unpublished",
        _("The course is archived.")
        if course.status == "archived"
        else _("The course is not published."),
        Bearing.CLOSES,
        _("Publish the course."),
        Button(
            _("Open the course"),
            reverse("offers:course_detail", args=[course.pk]),
            "manage_content",
        ),
    )


@reason
def enrollment_inactive(question: Question) -> Iterator[Reason]:
    """The staff's own switch."""
    situation = question.situation
    if situation.switched_off_at is None:
        return
    yield Reason(
        "enrollment_inactive",
        _("The enrollment is switched off since %(day)s.") % {"day": on(situation.switched_off_at)},
        Bearing.CLOSES,
        _("Switch the enrollment on."),
        Button(
            _("Edit enrollment"),
            reverse("enrollments:enrollment_update", args=[situation.enrollment]),
            "manage_access",
        ),
    )


# What opens the course, or would


@reason
def grants(question: Question) -> Iterator[Reason]:
    """How each grant of an offer with the course stands, or that there is none."""
    held = {grant.offer_id for grant in question.grants if grant.state not in ("revoked", "ended")}
    told = set(held)
    for grant in question.grants:
        if grant.state in ("revoked", "ended"):
            # Of an offer that is held, or was given again later, it is history: nothing to mend.
            yield _over(grant, is_history=grant.offer_id in told)
            told.add(grant.offer_id)
        elif grant.state == "live" and grant.offer.status != "draft":
            yield _live(grant)
        else:
            yield from _held_but_shut(grant)
    if not question.grants:
        yield _never_granted(question)


def _give(contact_id: int) -> Button:
    url = reverse("enrollments:grant_create", args=[contact_id])
    return Button(_("Add course/offer"), url, "manage_access")


def _never_granted(question: Question) -> Reason:
    text = _("No offer with this course was ever granted.")
    if question.situation.is_offered:
        mend = _("Grant an offer that holds it.")
        return Reason("no_grant", text, Bearing.LACKS, mend, _give(question.contact.pk))
    mend = _("No offer that can be granted holds it: put it into one, then grant that.")
    button = Button(_("Open the offers"), reverse("offers:offer_list"), "manage_content")
    return Reason("no_grant", text, Bearing.LACKS, mend, button)


def _live(grant: Grant) -> Reason:
    words = {"offer": grant.offer, "day": on(grant.ends_on)}
    text = _("“%(offer)s” is live until %(day)s.") if grant.ends_on else _("“%(offer)s” is live.")
    return Reason("grant_live", text % words, Bearing.OPENS)


def _over(grant: Grant, *, is_history: bool) -> Reason:
    """A grant that was revoked, by whom and why, or has ended."""
    mend, button = _("Grant the offer again."), _give(grant.contact_id)
    if grant.state == "revoked":
        code = "grant_revoked"
        text = _("“%(offer)s” was revoked on %(day)s by %(who)s. %(reason)s") % {
            "offer": grant.offer,
            "day": on(grant.revoked_at),
            "who": grant.revoked_by or _("the system"),
            "reason": grant.reason,
        }
    else:
        code = "grant_expired"
        text = _("“%(offer)s” ended on %(day)s.") % {
            "offer": grant.offer,
            "day": on(grant.ends_on),
        }
    if code == "grant_expired" and not grant.is_fixed:
        mend = _("Set a later end date.")
        url = reverse("enrollments:grant_extend", args=[grant.pk])
        button = Button(_("Set a later end"), url, "manage_access")
    elif grant.offer.status == "archived":
        mend = _("The offer is archived: grant another one with this course.")
    if is_history:
        return Reason(code, text.strip(), Bearing.INFORMS)
    return Reason(code, text.strip(), Bearing.LACKS, mend, button)


def _held_but_shut(grant: Grant) -> Iterator[Reason]:
    """A grant that is held and opens nothing now. It may have two reasons."""
    offer = grant.offer
    if grant.state == "suspended":
        yield Reason(
            "grant_suspended",
            _("“%(offer)s” is suspended since %(day)s.")
            % {"offer": offer, "day": on(grant.suspended_at)},
            Bearing.LACKS,
            _("Resume the grant."),
            Button(
                _("Resume"),
                reverse("enrollments:grant_resume", args=[grant.pk]),
                "manage_access",
                "post",
            ),
        )
    elif grant.state == "pending":
        yield Reason(
            "grant_not_started",
            _("“%(offer)s” starts on %(day)s.") % {"offer": offer, "day": on(grant.starts_at)},
            Bearing.LACKS,
            _("Wait, or revoke it and grant the offer from today."),
            Button(
                _("Revoke…"),
                reverse("enrollments:grant_revoke", args=[grant.pk]),
                "manage_access",
            ),
        )
    if offer.status == "draft":
        yield Reason(
            "offer_draft",
            _("“%(offer)s” is granted, but the offer is a draft.") % {"offer": offer},
            Bearing.LACKS,
            _("Publish the offer."),
            Button(
                _("Open the offer"),
                reverse("offers:offer_update", args=[offer.pk]),
                "manage_content",
            ),
        )


# What may keep somebody out of an open course


@reason
def archived(question: Question) -> Iterator[Reason]:
    """Closes nothing, but whoever looks for them in the lists finds nobody."""
    contact = question.contact
    if contact.archived_at is None:
        return
    yield Reason(
        "contact_archived",
        _("The contact is archived since %(day)s: hidden from the lists, but shut out of nothing.")
        % {"day": on(contact.archived_at)},
        Bearing.INFORMS,
        _("Check and repair brings back who holds an offer."),
        Button(
            _("Check and repair"),
            reverse("enrollments:contact_repair", args=[contact.pk]),
            "manage_access",
        ),
    )


@reason
def login(question: Question) -> Iterator[Reason]:
    """How they get in: no login yet, never used, or when it was used last."""
    contact, user = question.contact, question.contact.login
    if user is None:
        code, text = "no_login", _("There is no login yet: the first grant or login link makes it.")
    elif contact.last_seen_at:
        code = "last_login"
        text = _("They were last in the portal on %(day)s.") % {"day": on(contact.last_seen_at)}
    elif contact.joined_at:
        code = "last_login"
        text = _("They first logged in on %(day)s.") % {"day": on(contact.joined_at)}
    elif contact.invited_at:
        code = "never_logged_in"
        text = _("They were invited on %(day)s and never logged in.") % {
            "day": on(contact.invited_at)
        }
    else:
        code, text = "never_logged_in", _("They never logged in, and were never invited.")
    mend, button = _way_in(contact, user)
    yield Reason(code, text, Bearing.INFORMS, mend, button)


def _way_in(contact: Contact, user: User | None) -> tuple[str, Button | None]:
    """How to help somebody in: by one mail with a login link."""
    if contact.is_blocked:
        return _("Unblock the contact first: nobody who is blocked is sent a login link."), None
    if user is not None and user.is_staff:
        return _("They are staff, who log in with their password."), None
    button = Button(
        _("Send a login link"),
        reverse("accounts:link_create", args=[contact.pk]),
        "manage_access",
        "post",
        {"section": Section.COURSES.value},
    )
    return _("If they cannot get in, mail them a login link."), button
