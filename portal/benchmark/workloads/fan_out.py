"""`fan_out`: from a grant to its mail at a mail server, for many at once and for one, through the processes of production."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from statistics import mean, median
from time import perf_counter, sleep

from django.db import transaction
from django.urls import reverse

from accounts.models import BulkRun, Contact, Role, User
from accounts.people import Person, add_many
from accounts.selection import Selection
from enrollments.models import Grant
from notifications import mail
from notifications.models import Message
from offers.models import Offer
from portal import events
from portal.benchmark.filling import fill, offer, settle
from portal.benchmark.floors import SEEN
from portal.benchmark.measuring import (
    Figure,
    Goal,
    Workload,
    children,
    counted,
    peak_memory,
    spread,
)
from portal.benchmark.post import Post, is_here, mail_floor, post
from portal.benchmark.processes import WORKERS, a_broker, has_broker, portal
from portal.benchmark.web import Site, cookie

CLICKS = 12  # with workers, and as many without
WARM_UP = 2  # of them
ASKS = 10  # for a login link, while many are mailed: one address may not ask much more often
PAUSE = 1.0  # seconds between two of them
SENT = 2_000  # messages of the mail floor, each time
PATIENCE = 120  # seconds without any mail


def measure(size: int) -> list[Figure]:
    """`size` people are granted an offer at once; others one by one, and some ask for a link meanwhile."""
    if not is_here():
        return []
    fill(size)
    given, clicks = offer(4), min(CLICKS, size)
    first, *visitors = _visitors(1 + 2 * clicks + ASKS)
    clicking, clicking_alone = visitors[:clicks], visitors[clicks : 2 * clicks]
    asking = visitors[2 * clicks :]
    User.objects.for_contacts([visitor.pk for visitor in asking])
    settle()
    statements = _statements(first, given)
    staff = cookie(User.objects.appoint(email="alice@example.com", role=Role.OWNER))
    figures, messages = list[Figure](), min(SENT, size)
    with post() as box:
        floors = [mail_floor(box.port, workers=WORKERS, messages=messages)]
        if has_broker():
            with a_broker() as broker, portal(staff, box, broker=broker) as site:
                times = _click(site, box, clicking, given)
                took, waits = _grant_all(site, box, asking, given)
                memory = _largest()
            floors.append(mail_floor(box.port, workers=WORKERS, messages=messages))
            figures = [
                Figure(
                    size=size,
                    case="",
                    value=size / took,
                    unit="mails/s",
                    floor=1 / mean(floors),
                    took=took,
                    statements=statements,
                    memory=memory,
                    pace=mean(floors),
                ),
                _latency(size, "one grant", median(times), times, floors, memory),
                _latency(size, "a login link behind many", max(waits), waits, floors, memory),
            ]
        with portal(staff, box) as site:
            times = _click(site, box, clicking_alone, given)
            memory = _largest()
    return [
        *figures,
        _latency(size, "one grant, the clock alone", median(times), times, floors, memory),
    ]


def lacks() -> str:
    """What this machine has not."""
    if not is_here():
        return "fan_out needs aiosmtpd, which comes with what one develops with: `uv sync`."
    if not has_broker():
        return "fan_out measures no workers here: redis-server is not installed."
    return ""


@transaction.atomic
def _visitors(number: int) -> list[Contact]:
    """People who are not among those that are granted something at once."""
    known = add_many(
        [Person(f"visitor.{n}@visitors.example", f"Visitor {n}") for n in range(number)]
    )
    return list(Contact.objects.filter(pk__in=[person.pk for person in known.values()]))


def _statements(contact: Contact, given: Offer) -> int:
    """How many the first mail of somebody takes, from being claimed to being marked."""
    Grant.objects.grant(contact=contact, offer=given, source="manual")
    events.dispatch()
    waiting = Message.objects.get(contact=contact)
    with counted() as statements:
        mail.deliver(waiting.pk)
    return len(statements)


def _click(site: Site, box: Post, people: Sequence[Contact], given: Offer) -> list[float]:
    """Staff grant each of them the offer in the dashboard; the seconds until each has the mail."""
    times = []
    for person in people:
        page = reverse("enrollments:grant_create", args=[person.pk])
        start = perf_counter()
        site.post(page, {f"offer_{given.pk}": "on", "notify": "on"}, status=302)
        times.append(box.first(person.email) - start)
    return times[min(WARM_UP, len(times) // 2) :]


def _grant_all(
    site: Site, box: Post, asking: Sequence[Contact], given: Offer
) -> tuple[float, list[float]]:
    """Grant the offer to everybody else; the seconds until the last has the mail, and of who asked for a link."""
    people = Selection().contacts().exclude(pk__in=[visitor.pk for visitor in asking])
    people = people.exclude(email__endswith="@visitors.example")
    emails = list(people.filter(blocked_at=None).values_list("email", flat=True))
    terms = {"offer": given.pk, "mode": "default", "day": None}
    known, start, waits = len(box.arrived), perf_counter(), list[float]()
    BulkRun.objects.start(
        action="grant",
        terms=terms | {"if_held": "leave", "notify": True, "note": ""},
        contacts=people,
    )

    def is_over() -> bool:
        return len(box.arrived) - known - len(waits) == len(emails)

    stranger = replace(site, cookies=())
    for visitor in asking:
        asked = perf_counter()
        stranger.post(reverse("accounts:login_mail"), {"login": visitor.email}, status=302)
        waits.append(box.first(visitor.email) - asked)
        if is_over():
            break
        sleep(PAUSE)
    box.wait(is_over, seconds=PATIENCE)
    came = [box.arrived[email] for email in emails]
    if twice := sum(len(times) > 1 for times in came):
        raise RuntimeError(f"{twice} people were told twice")
    return max(times[0] for times in came) - start, waits


def _largest() -> int:
    """The most that one of the portal's processes ever had in memory, in bytes."""
    started = children(os.getpid())
    workers = [worker for child in started for worker in children(child)]
    return max(map(peak_memory, [*started, *workers]), default=0)


def _latency(
    size: int, case: str, value: float, times: list[float], floors: list[float], memory: int
) -> Figure:
    return Figure(
        size=size,
        case=case,
        value=value,
        unit="s",
        floor=mean(floors),
        took=value,
        statements=0,
        memory=memory,
        facts=spread(times) | {"slowest": max(times)},
    )


LIMITS = {"one grant": 1, "one grant, the clock alone": 2, "a login link behind many": 2}  # seconds


def goals(now: Figure, smaller: Figure | None) -> Iterator[Goal]:
    if now.case in LIMITS:
        slowness = max(1.0, now.floor / SEEN["mail"])
        yield Goal("s", now.value, LIMITS[now.case] * slowness)
        return
    yield Goal("ratio", now.ratio, 0.6, is_minimum=True)
    yield Goal("statements", now.statements, 12, is_counted=True)
    if smaller:
        yield Goal("growth", now.growth_from(smaller), 1.05 * now.size / smaller.size)


WORKLOAD = Workload((1_000, 10_000), measure, goals, lacks)
