"""Who may open what: every address of the portal, by room. The README shows the same as a table.

`make doors` (or `python tests/doors.py`) writes that table anew.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

README = Path(__file__).parent.parent / "README.md"
BEGIN, END = "<!-- doors: written by tests/doors.py -->", "<!-- end of doors -->"

# Bob is a student, and what an address names is his. Support simulates him.
WHO = {
    "nobody": "Nobody",
    "student": "The student",
    "other": "Another student",
    "blocked": "Blocked",
    "owner": "Owner",
    "admin": "Admin",
    "support": "Support",
    "moderator": "Moderator",
    "simulating": "Simulating",
}

# What they get, by GET and by POST.
OPEN = "open"
LOGIN = "login"
FORBIDDEN = "403"
MISSING = "404"
LED = "to the dashboard"
AWAY = f"{LED}, {FORBIDDEN}"
LOOK = f"{OPEN}, {FORBIDDEN}"
OUT = f"{OPEN}, {LOGIN}"
# … and how the table says it.
SHOWN = {LED: "→ dashboard", AWAY: "→ dashboard", LOOK: "read only", OUT: OPEN}


@dataclass(frozen=True)
class Room:
    """Addresses whose doors answer everybody alike. A * is the part that names a thing."""

    what: str
    addresses: str
    gets: dict[str, str]
    permission: str = ""  # without which staff are refused

    def __iter__(self) -> Iterator[str]:
        return iter(self.addresses.split())


def everybody(answer: str, **but: str) -> dict[str, str]:
    return dict.fromkeys(WHO, answer) | but


def logged_in(answer: str = OPEN, **but: str) -> dict[str, str]:
    """The same for whoever is logged in."""
    return everybody(answer, nobody=LOGIN, blocked=LOGIN) | but


def students(**but: str) -> dict[str, str]:
    """The students' side: staff who are no student are led away, and who simulates changes nothing."""
    staff = dict.fromkeys(("owner", "admin", "support", "moderator"), AWAY)
    return {
        "nobody": LOGIN,
        "student": OPEN,
        "other": OPEN,
        "blocked": LOGIN,
        **staff,
        "simulating": LOOK,
    } | but


def staff(*roles: str) -> dict[str, str]:
    """The dashboard, where who simulates is who they are: support."""
    passing = everybody(FORBIDDEN, nobody=LOGIN, blocked=LOGIN) | dict.fromkeys(roles, OPEN)
    return passing | {"simulating": passing["support"]}


ANY_STAFF = staff("owner", "admin", "support", "moderator")
SUPPORT = staff("owner", "admin", "support")
ADMIN = staff("owner", "admin")
OWNER = staff("owner")

ROOMS = [
    # The ways in
    Room(
        "The login page",
        "/account/login/",
        everybody(OPEN, owner=LED, admin=LED, support=LED, moderator=LED, simulating=LED),
    ),
    Room("Mailed links", "/l/*/ /l/*/renew/", everybody(OPEN)),
    Room(
        "A link or a code by mail, on the login page",
        "/account/login/mail/ /account/login/code/",
        everybody(OPEN),
    ),
    Room(
        "The second factor, after the first",
        "/account/2fa/login/",
        everybody(
            LOGIN,
            student=OPEN,
            other=OPEN,
            owner=LED,
            admin=LED,
            support=LED,
            moderator=LED,
            simulating=LED,
        ),
    ),
    Room(
        "Logging in with a passkey",
        "/account/2fa/passkeys/login/",
        everybody(
            LOGIN,
            student=OPEN,
            other=OPEN,
            owner=LED,
            admin=LED,
            support=LED,
            moderator=LED,
            simulating=FORBIDDEN,
        ),
    ),
    Room(
        "One's own second factors",
        """
        /account/2fa/ /account/2fa/app/add/ /account/2fa/codes/new/ /account/2fa/passkeys/
        /account/2fa/passkeys/add/
        """,
        logged_in(simulating=FORBIDDEN),
    ),
    Room(
        "A second factor that only the student has",
        """
        /account/2fa/app/remove/ /account/2fa/codes/ /account/2fa/codes/download/
        /account/2fa/passkeys/*/edit/ /account/2fa/passkeys/*/remove/
        """,
        logged_in(MISSING, student=OPEN, simulating=FORBIDDEN),
    ),
    Room("Forgotten passwords", "/account/password/reset/", everybody(OPEN, simulating=FORBIDDEN)),
    Room(
        "What this portal does not have: sign-up, allauth's own e-mail page; mail outside the demo",
        """
        /account/signup/ /account/email/ /account/inactive/
        /demo/mail/ /demo/mail/*/ /demo/mail/*/html/
        """,
        everybody(MISSING),
    ),
    Room("Logging out", "/account/logout/", logged_in(OUT)),
    Room(
        "Proving once more that it is you, by password or second factor",
        "/account/reauthenticate/ /account/2fa/reauthenticate/",
        logged_in(),
    ),
    Room(
        "The same, by passkey: without one there is nothing to prove",
        "/account/2fa/passkeys/reauthenticate/",
        logged_in(student=OUT),
    ),
    Room(
        "One's own password",
        "/account/password/change/ /account/password/set/ /profile/security/renew/",
        logged_in(simulating=FORBIDDEN),
    ),
    # The students' side
    Room(
        "A student's home, list of courses, profile",
        """
        / /courses/ /profile/ /profile/notifications/ /profile/security/
        /profile/security/email/cancel/ /profile/security/end/ /profile/erasure/withdraw/
        """,
        students(),
    ),
    Room(
        "A student's address, data, wish to be erased",
        "/profile/security/email/ /profile/data/ /profile/erasure/",
        students(simulating=FORBIDDEN),
    ),
    Room("A student's own session", "/profile/security/*/end/", students(other=MISSING)),
    Room(
        "A course the student has: lessons, progress, quizzes, comments, rating",
        """
        /courses/*/ /courses/*/lessons/*/ /courses/*/lessons/*/complete/
        /courses/*/lessons/*/progress/ /courses/*/lessons/*/comments/
        /courses/*/lessons/*/comments/*/take-back/ /courses/*/lessons/*/quiz/
        /courses/*/lessons/*/quiz/*/ /courses/*/rating/
        """,
        students(other=MISSING),
    ),
    Room(
        "A file of such a course",
        "/files/*/",
        students(other=MISSING, owner=OPEN, admin=OPEN, support=MISSING, moderator=MISSING),
    ),
    # The dashboard
    Room(
        "The dashboard's front page and one's own profile there",
        "/dashboard/ /dashboard/profile/",
        ANY_STAFF,
    ),
    Room("Ending a simulated session", "/dashboard/simulation/end/", ANY_STAFF),
    Room("Simulating a student", "/dashboard/contacts/*/simulate/", SUPPORT, "simulate"),
    Room(
        "Comments",
        """
        /dashboard/comments/ /dashboard/comments/lessons/*/ /dashboard/comments/*/hide/
        /dashboard/comments/*/show/
        """,
        ANY_STAFF,
        "moderate",
    ),
    Room(
        "Contacts and how many, portal users, bulk actions, explanations, quiz attempts",
        """
        /dashboard/activity/ /dashboard/contacts/numbers/ /dashboard/search/ /dashboard/contacts/
        /dashboard/contacts/count/ /dashboard/contacts/filters/ /dashboard/contacts/*/
        /dashboard/contacts/*/timeline/ /dashboard/contacts/*/courses/*/access/ /dashboard/access/
        /dashboard/portal-users/ /dashboard/portal-users/numbers/ /dashboard/bulk/
        /dashboard/bulk/new/ /dashboard/bulk/*/ /dashboard/bulk/*/undo/
        /dashboard/enrollments/*/lessons/ /dashboard/quiz-attempts/ /dashboard/quiz-attempts/*/
        /dashboard/contacts/*/links/
        """,
        SUPPORT,
        "view_contacts",
    ),
    Room(
        "Changing contacts: data, notes, tags, segments",
        """
        /dashboard/contacts/new/ /dashboard/contacts/*/edit/ /dashboard/contacts/*/tag/
        /dashboard/contacts/*/notes/ /dashboard/contacts/segments/new/
        /dashboard/contacts/segments/*/delete/
        """,
        SUPPORT,
        "manage_contacts",
    ),
    Room(
        "A colleague's note",
        "/dashboard/notes/*/delete/",
        SUPPORT | dict.fromkeys(("owner", "admin", "support", "simulating"), MISSING),
        "manage_contacts",
    ),
    Room(
        "Changing access: grants, enrollments, blocking, imports, sending mail again",
        """
        /dashboard/contacts/register/ /dashboard/contacts/*/block/ /dashboard/contacts/*/unblock/
        /dashboard/contacts/*/repair/ /dashboard/contacts/*/enrollments/
        /dashboard/contacts/*/dates/undo/ /dashboard/contacts/*/grants/new/
        /dashboard/contacts/*/offers/*/revoke/ /dashboard/grants/*/extend/
        /dashboard/grants/*/suspend/ /dashboard/grants/*/resume/ /dashboard/grants/*/revoke/
        /dashboard/enrollments/*/edit/ /dashboard/enrollments/*/unlock/
        /dashboard/enrollments/*/lock/ /dashboard/enrollments/*/lessons/*/unlock/
        /dashboard/enrollments/*/lessons/*/lock/ /dashboard/imports/ /dashboard/imports/new/
        /dashboard/imports/template/ /dashboard/imports/*/ /dashboard/imports/*/start/
        /dashboard/imports/*/undo/ /dashboard/imports/*/failed/ /dashboard/offers/*/holders/
        /dashboard/offers/*/holders/move/ /dashboard/messages/*/send/
        """,
        SUPPORT,
        "manage_access",
    ),
    Room(
        "A person's ways in: invitations, login links, temporary passwords, their sessions",
        """
        /dashboard/portal-users/new/ /dashboard/contacts/*/links/new/
        /dashboard/contacts/*/ways/*/ /dashboard/contacts/*/sessions/
        /dashboard/contacts/*/sessions/*/end/ /dashboard/links/*/revoke/
        """,
        SUPPORT,
        "manage_access",
    ),
    Room(
        "When lessons open, and for whom",
        "/dashboard/courses/*/schedule/",
        SUPPORT,
    ),
    Room("Messages", "/dashboard/messages/ /dashboard/messages/*/", SUPPORT, "view_messages"),
    Room(
        "Exports",
        """
        /dashboard/exports/contacts/ /dashboard/exports/enrollments/
        /dashboard/exports/subscriptions/
        """,
        SUPPORT,
        "export",
    ),
    Room(
        "Offers, courses, lessons, quizzes, cohorts, ratings",
        """
        /dashboard/offers/ /dashboard/offers/new/ /dashboard/offers/*/
        /dashboard/offers/*/publish/ /dashboard/offers/*/archive/
        /dashboard/offers/*/holders/follow/ /dashboard/courses/ /dashboard/courses/new/
        /dashboard/courses/ratings/ /dashboard/courses/*/ /dashboard/courses/*/edit/
        /dashboard/courses/*/publish/ /dashboard/courses/*/archive/
        /dashboard/courses/*/duplicate/ /dashboard/courses/*/order/
        /dashboard/courses/*/ratings/ /dashboard/courses/*/modules/new/
        /dashboard/courses/*/cohorts/ /dashboard/courses/*/cohorts/new/ /dashboard/cohorts/*/
        /dashboard/cohorts/*/delete/ /dashboard/modules/*/ /dashboard/modules/*/delete/
        /dashboard/modules/*/lessons/new/ /dashboard/lessons/preview/ /dashboard/lessons/*/
        /dashboard/lessons/*/publish/ /dashboard/lessons/*/delete/ /dashboard/lessons/*/quiz/
        /dashboard/lessons/*/questions/new/ /dashboard/questions/*/
        /dashboard/questions/*/delete/ /dashboard/questions/*/move/
        """,
        ADMIN,
        "manage_content",
    ),
    Room(
        "The audit",
        "/dashboard/audit/ /dashboard/audit/*/ /dashboard/audit/export/",
        ADMIN,
        "view_audit",
    ),
    Room(
        "Staff: who they are, and what they may",
        """
        /dashboard/settings/staff/ /dashboard/settings/staff/new/
        /dashboard/settings/staff/permissions/ /dashboard/settings/staff/*/
        /dashboard/settings/staff/*/link/ /dashboard/settings/staff/*/remove/
        /dashboard/contacts/*/role/
        """,
        ADMIN,
        "manage_staff",
    ),
    Room(
        "Taking a lost second factor off somebody",
        "/dashboard/settings/staff/*/second-factor/",
        OWNER,
        "manage_staff",
    ),
    Room(
        "Settings, and work that failed",
        """
        /dashboard/settings/ /dashboard/settings/access/ /dashboard/events/*/replay/
        /dashboard/jobs/*/replay/
        """,
        OWNER,
        "manage_settings",
    ),
]


def table() -> str:
    """The rooms as Markdown."""
    head = ["Where", *WHO.values(), "Addresses"]
    lines = [head, ["---", *[":-:"] * len(WHO), "--:"]]
    for room in ROOMS:
        permission = f" (`{room.permission}`)" if room.permission else ""
        cells = [SHOWN.get(room.gets[who], room.gets[who]) for who in WHO]
        lines.append([room.what + permission, *cells, str(len(list(room)))])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def shown_in(text: str) -> str:
    """The README with the table of today."""
    before, rest = text.split(BEGIN)
    _old, after = rest.split(END)
    return f"{before}{BEGIN}\n{table()}\n{END}{after}"


if __name__ == "__main__":
    README.write_text(shown_in(README.read_text()))
