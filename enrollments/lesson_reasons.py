"""The reasons that shut lessons of an open course: a cohort to come, days, and what has to be done first."""

from __future__ import annotations

from collections.abc import Iterator

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from enrollments.locks import Outlook
from enrollments.reasons import Bearing, Button, Question, Reason, on, reason


@reason
def lessons(question: Question) -> Iterator[Reason]:
    """What of the course is not open to them though the course is. Not asked where no grant is live."""
    if not any(grant.is_live for grant in question.grants):
        return
    situation = question.situation
    button = _to_lessons(situation.enrollment)
    if situation.unlocked_at:
        text = _("Every lesson is unlocked for them since %(day)s, whatever the rules say.")
        words = {"day": on(situation.unlocked_at)}
        yield Reason("lessons_unlocked", text % words, Bearing.INFORMS, button=button)
        return
    if situation.is_cohort_to_come:
        yield Reason(
            "cohort_not_started",
            _("Their cohort, “%(cohort)s”, starts on %(day)s.")
            % {"cohort": situation.cohort, "day": on(situation.cohort_starts_on)},
            Bearing.INFORMS,
            _("Wait, move them to another cohort, or unlock lessons for them."),
            button,
        )
    found = situation.outlook
    if found and found.coming:
        yield _coming(found, button)
    if found and found.waiting:
        yield _waiting(found, button)


def _coming(found: Outlook, button: Button | None) -> Reason:
    text = ngettext(
        "%(number)d of %(total)d lesson is not open yet: “%(lesson)s” opens on %(day)s.",
        "%(number)d of %(total)d lessons are not open yet: the next, “%(lesson)s”, opens on %(day)s.",
        found.coming,
    )
    words = {
        "number": found.coming,
        "total": found.total,
        "lesson": found.next_title,
        "day": on(found.next_day),
    }
    mend = _("Wait, or unlock lessons for them.")
    return Reason("lessons_to_come", text % words, Bearing.INFORMS, mend, button)


def _waiting(found: Outlook, button: Button | None) -> Reason:
    words = {"lesson": found.waiting_title, "first": found.waiting_for}
    text = _("“%(lesson)s” waits for “%(first)s”.")
    if found.waiting_for is None:
        text = _("“%(lesson)s” waits for the lessons before it: the course goes in order.")
    text %= words
    if others := found.waiting - 1:
        more = ngettext("%d lesson more waits.", "%d lessons more wait.", others)
        text = f"{text} {more % others}"
    mend = _("They complete what comes first, or you unlock lessons for them.")
    return Reason("lessons_wait", text, Bearing.INFORMS, mend, button)


def _to_lessons(enrollment: int | None) -> Button | None:
    if enrollment is None:
        return None
    url = reverse("enrollments:lesson_list", args=[enrollment])
    return Button(_("Lessons and locks"), url, "view_contacts")
