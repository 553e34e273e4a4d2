"""The benchmark runs, says what it found and leaves nothing behind. How fast, no test asserts."""

import json
import re
import shutil
import smtplib

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.urls import URLResolver, get_resolver

from accounts.models import Contact, Link
from enrollments.models import Enrollment, Grant
from portal.benchmark.dashboard import LEFT_OUT, pages
from portal.benchmark.database import Laboratory
from portal.benchmark.filling import fill
from portal.benchmark.learning import learn
from portal.benchmark.measuring import Figure, Goal, counted, p95
from portal.benchmark.post import NoMail, mail_floor, post
from portal.benchmark.table import Line, clear_misses, table
from portal.benchmark.working import work
from portal.benchmark.workloads import entrance, fan_out
from portal.events import Event, Outbox
from portal.models import Job


def figure(**facts):
    usual = {"size": 1000, "case": "", "value": 300.0, "unit": "rows/s", "floor": 1000.0}
    usual |= {"took": 3.3, "statements": 21, "memory": 80 * 1024**2}
    return Figure(**usual | facts)


@pytest.mark.serial
def test_workloads_run_on_a_database_of_their_own(db, capsys):
    call_command("benchmark", "import", "grant", "--sizes", "20", "--json")

    lines = json.loads(capsys.readouterr().out)
    assert [(line["workload"], line["case"], line["size"]) for line in lines] == [
        ("import", "", 20),
        ("grant", "new", 20),
        ("grant", "repeat", 20),
    ]
    for line in lines:
        assert min(line["value"], line["floor"], line["statements"], line["peak_memory"]) > 0
        assert line["goals"][0]["name"] == "ratio"
    assert not Contact.objects.exists()
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_database WHERE datname LIKE '%\\_benchmark'")
        assert cursor.fetchone() == (0,)


def test_an_unknown_workload_is_wrong_usage(db):
    with pytest.raises(CommandError, match="There is no workload cooking") as refusal:
        call_command("benchmark", "cooking")
    assert refusal.value.returncode == 2


@pytest.mark.django_db(transaction=True)
def test_who_asks_for_a_link_and_who_comes_in_by_one_are_measured_apart(settings):
    settings.ROOT_URLCONF = "portal.benchmark.urls"
    asked = entrance.measure_request(6)  # one of them is blocked
    used = entrance.measure_use(6)  # adds six

    assert [seen.case for seen in asked + used] == ["known", "unknown", "open", "use"]
    assert asked[0].statements == asked[1].statements > 0
    assert Job.objects.filter(kind="mail_link").count() == 2 * 5
    assert Link.objects.count() == Link.objects.exclude(used_at=None).count() > 6
    for seen in asked + used:
        assert min(seen.value, seen.floor, seen.statements) > 0
    goals = {goal.name for goal in entrance.request_goals(asked[1], asked[0])}
    assert "statements apart from known" in goals


def test_the_mail_server_knows_what_came_and_who_only_sends_is_the_floor():
    with post() as box:
        with smtplib.SMTP("127.0.0.1", box.port) as client:
            client.sendmail("a@example.com", ["bob@example.com"], b"Subject: Bread\r\n\r\nRises.")
        assert box.first("bob@example.com") > 0
        with pytest.raises(NoMail):
            box.first("charlie@example.com", seconds=0.1)
        assert mail_floor(box.port, workers=2, messages=6) > 0
    assert len(box.arrived["floor@example.com"]) == 2 + 6


@pytest.mark.serial
def test_what_a_machine_has_not_is_said_and_fails_nothing(db, capsys, monkeypatch):
    monkeypatch.setattr(Laboratory, "run", lambda *_words: "[]")
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    call_command("benchmark", "fan_out", "--check")
    assert "redis-server is not installed" in capsys.readouterr().err

    monkeypatch.setattr(fan_out, "is_here", lambda: False)
    call_command("benchmark", "fan_out", "--check")
    assert "needs aiosmtpd" in capsys.readouterr().err


@pytest.mark.parametrize(("messages_a_second", "is_met"), [(820, False), (410, True)])
def test_a_slower_machine_has_more_seconds_until_the_mail(messages_a_second, is_met):
    seen = figure(case="one grant", value=1.5, unit="s", floor=1 / messages_a_second)
    [goal] = fan_out.goals(seen, None)
    assert goal.is_met == is_met


@pytest.mark.django_db(transaction=True)
def test_load_fills_the_database_twice_and_tells_nobody(capsys):
    for _ in range(2):
        call_command("benchmark", "--load", "30", "--yes")

    assert "Added 30 contacts with 90 grants." in capsys.readouterr().out
    assert Contact.objects.count() == Contact.objects.exclude(user=None).count() == 60
    assert Grant.objects.count() == Enrollment.objects.count() == 180
    assert Event.objects.filter(name="offer.granted").count() == 180
    assert not Outbox.objects.filter(event__name="offer.granted").exists()


def test_load_is_refused_on_a_database_that_is_not_ours(db, monkeypatch):
    monkeypatch.setitem(settings.DATABASES["default"], "ENGINE", "django.db.backends.postgresql")
    with pytest.raises(CommandError, match="is not the embedded database") as refusal:
        call_command("benchmark", "--load", "30")
    assert refusal.value.returncode == 1
    assert not Contact.objects.exists()


@pytest.mark.parametrize(
    ("goal", "is_met", "is_missed_clearly"),
    [
        (Goal("ratio", 0.5, 0.4, is_minimum=True), True, False),
        (Goal("ratio", 0.3, 0.4, is_minimum=True), False, False),  # may be noise
        (Goal("ratio", 0.2, 0.4, is_minimum=True), False, True),
        (Goal("ms", 30, 25), False, False),
        (Goal("ms", 34, 25), False, True),
        (Goal("statements", 12, 12, is_counted=True), True, False),
        (Goal("statements", 13, 12, is_counted=True), False, True),
    ],
)
def test_times_may_miss_by_a_third_and_counts_by_nothing(goal, is_met, is_missed_clearly):
    assert (goal.is_met, goal.is_missed_clearly) == (is_met, is_missed_clearly)


def test_the_table_says_what_is_missed_and_the_check_names_it():
    missed = Goal("statements", 21, 12, is_counted=True)
    line = Line("import", figure(), figure(size=100, took=0.3), [missed])

    head, row = table([line]).splitlines()
    assert head.split()[:3] == ["workload", "size", "figure"]
    assert "300 rows/s" in row
    assert "× 11.00" in row
    assert "missed: statements ≤ 12 (21)" in row
    assert clear_misses([line]) == ["import at 1,000: statements ≤ 12, but it is 21."]


def test_statements_are_counted_as_django_sends_them(db):
    with counted() as statements, transaction.atomic(), transaction.atomic():
        Contact.objects.count()
        Contact.objects.exists()
    assert len(statements) == 2


def test_p95_of_a_hundred_is_near_the_ninety_fifth():
    assert p95(range(1, 101)) == pytest.approx(95, abs=0.5)


def test_the_walk_visits_every_page_of_the_dashboard(login, alice):
    fill(100)
    learn(100)
    work(alice)
    staff, visited = login(alice), pages()
    named = {case.split()[0] for case in visited}
    addresses = dict(dashboard())

    answers = {case: staff.get(url).status_code for case, url in visited.items()}
    others = {
        name: staff.get(url).status_code
        for name, url in addresses.items()
        if name not in named | set(LEFT_OUT)
    }
    assert {case: status for case, status in answers.items() if status != 200} == {}
    assert {name: status for name, status in others.items() if status != 405} == {}
    assert named.isdisjoint(LEFT_OUT)
    assert set(LEFT_OUT) - set(addresses) <= {"portal:styleguide"}


def dashboard():
    """(name, address) of everything in the dashboard, of whatever has the key 1."""
    rooms = [(get_resolver(), "")]
    for resolver, app in rooms:
        for pattern in resolver.url_patterns:
            if isinstance(pattern, URLResolver):
                rooms.append((pattern, pattern.app_name or app))
            elif (address := re.sub("<[^>]+>", "1", str(pattern.pattern))).startswith("dashboard/"):
                yield f"{app}:{pattern.name}", f"/{address}"
