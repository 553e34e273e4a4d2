"""Asking for a mail without being logged in: counted and written down in the request, looked up by a worker.

Whoever asks learns nothing, neither from the answer nor from the time it takes: for addresses that
are known, unknown, blocked or staff's the request runs the same statements.
"""

from __future__ import annotations

import uuid
from contextlib import suppress
from datetime import timedelta

from django.db import transaction

from accounts.models import Link, User
from accounts.models.link import Purpose, Section, digest
from portal import jobs, limits
from portal.events import Fact
from portal.models import Job

KIND = "mail_link"
KEPT = timedelta(days=1)  # so long staff see what was asked for and never worked


def count(*addresses: str) -> None:
    """Count one more mail that is asked for, from this client and to each of `addresses`. Raises TooMany."""
    limits.LINKS_FROM.spend(limits.origin())
    for address in addresses:
        count_to(address)


def count_to(address: str) -> None:
    """Count one more mail to `address`, whoever asks. Raises TooMany."""
    limits.LINKS_A_MINUTE.spend(address)
    limits.LINKS_AN_HOUR.spend(address)


def ask(purpose: Purpose, *, email: str, browser: str = "", device: str = "") -> None:
    """Let whoever has the address `email` be mailed a link soon. Raises TooMany.

    `browser` is a digest of the cookie of who asks for a login: there its code may be typed. A `device`
    in which this account was logged in before is counted by itself, as for passwords: whoever asks
    elsewhere in somebody's name does not use up what they may ask for.
    """
    count(f"{email} {device}" if device else email)
    _queue(purpose=purpose.value, email=email, browser=browser)


def ask_again(token: str) -> None:
    """Let the owner of a link, whatever became of it, be mailed a fresh one soon. Raises TooMany.

    A forged token is counted and looked up like a true one.
    """
    mark = digest(token)
    count(f"link:{mark}")
    _queue(link=mark)


def _queue(**data: Fact) -> None:
    jobs.queue(KIND, key=f"{KIND}:{uuid.uuid4().hex}", priority=0, **data)


@jobs.job(KIND)
@transaction.atomic
def mail_link(job: Job) -> bool:
    """Mail what was asked for to whoever may have it. What was typed is forgotten in the same breath."""
    mine = Job.objects.filter(pk=job.pk)
    data = mine.select_for_update(no_key=True).get().data
    mine.update(data={})
    if "link" in data:
        links = Link.objects.filter(digest=data["link"])
        for link in links.select_related("user__contact"):
            _renew(link)
    if "email" in data:
        people = User.objects.filter(email=data["email"])
        for user in people.select_related("contact"):
            Link.objects.mail_to(user, purpose=Purpose(data["purpose"]), browser=data["browser"])
    return True


def _renew(link: Link) -> None:
    """Mail its owner one like it: but no address to confirm, which they choose anew, nor an invitation taken back."""
    if link.purpose == Purpose.CONFIRM_EMAIL:
        return
    if link.purpose == Purpose.INVITATION and link.revoked_at:
        return
    with suppress(limits.TooMany):
        count_to(link.user.email)
        Link.objects.mail_to(
            link.user, purpose=Purpose(link.purpose), section=Section(link.section)
        )
