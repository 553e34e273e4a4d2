"""What the browser is told, what an error page and a log line say, and whose word about addresses counts."""

from __future__ import annotations

import io
import logging
import re
from datetime import timedelta
from ipaddress import ip_address
from types import SimpleNamespace

import make
import pytest
from django.db import OperationalError
from django.test import Client, RequestFactory, override_settings
from django.urls import reverse
from django.views.debug import get_exception_reporter_filter
from gunicorn.config import Config
from hypothesis import given
from hypothesis import strategies as st

from accounts.models.link import Purpose
from portal import server
from portal.context import client_address
from portal.logs import Line, scrub
from portal.models import Event, School


def policy_of(answer) -> dict[str, str]:
    directives = answer["Content-Security-Policy"].split("; ")
    return {name: values for name, _space, values in (each.partition(" ") for each in directives)}


# The browser


@pytest.mark.parametrize(
    ("logo", "allowed"),
    [
        ("https://cdn.example.com:8443/a/logo.png?x=1", "https://cdn.example.com:8443"),
        ("https://bücher.example/logo.png", "https://xn--bcher-kva.example"),
        ("https://a;script-src * 'unsafe-inline'@cdn.example.com/x.png", "https://cdn.example.com"),
        ("https://cdn.example.com;script-src */x.png", None),
        ("javascript:alert(1)", None),
        ("https://[/x.png", None),
    ],
)
def test_pictures_come_from_us_and_the_logo_from_where_it_lies(client, school, logo, allowed):
    School.objects.update(logo_url=logo)
    policy = policy_of(client.get("/account/login/"))
    assert policy["img-src"].split() == ["'self'", "data:", *([allowed] if allowed else [])]
    assert len(policy["script-src"].split()) == 2


def test_no_page_of_somebody_is_kept_by_a_browser(alice, bob, login):
    for person, url in ((bob, "/profile/"), (bob, "/nothing/"), (alice, "/dashboard/contacts/")):
        assert "no-store" in login(person).get(url)["Cache-Control"], url
    redirected = login(bob).get("/account/login/")
    assert redirected.status_code == 302
    assert "no-store" in redirected["Cache-Control"]


def test_what_may_be_kept_says_so_itself(client, db):
    answer = client.get("/static/css/tokens.css")
    assert "no-store" not in answer["Cache-Control"]
    answer.close()


def test_the_address_of_a_mailed_link_is_told_to_nobody(bob, client, school):
    link = make.link(bob.user, Purpose.LOGIN)
    page = reverse("accounts:link_consume", args=[link.token])
    answers = [
        client.get(page),
        client.get("/l/nonsense/"),
        client.get(f"{page}nothing/here/"),
        client.get(f"{page}renew/"),
        Client(enforce_csrf_checks=True).post(page),
        client.post(page),
    ]
    assert [answer.status_code for answer in answers] == [200, 410, 404, 302, 403, 302]
    for answer in answers:
        assert answer["Referrer-Policy"] == "strict-origin"
        assert "no-store" in answer["Cache-Control"]


# Errors


@pytest.mark.parametrize(
    ("url", "status"), [("/nothing/", 404), ("/dashboard/", 403), ("/dashboard/bulk/new/", 403)]
)
def test_error_pages_tell_the_number_of_their_request(bob, login, url, status):
    answer = login(bob).get(url)
    assert answer.status_code == status
    assert len(answer["X-Request-ID"]) == 32
    assert answer["X-Request-ID"] in answer.content.decode()


def test_what_only_a_button_does_says_so(alice, login):
    answer = login(alice).get("/dashboard/audit/export/")
    assert (answer.status_code, answer["Allow"]) == (405, "POST")
    assert "only works by its button" in answer.content.decode()
    assert answer["X-Request-ID"] in answer.content.decode()


def test_without_a_database_the_page_says_to_come_back(client, monkeypatch):
    """No `db`: whoever asks it but for the school, which is what comes first, fails this test."""

    def refuse() -> School:
        raise OperationalError("connection refused by 10.0.0.7")

    monkeypatch.setattr(School, "current", refuse)
    client.raise_request_exception = False
    answer = client.get("/account/login/", headers={"Accept-Language": "it"})
    page = answer.content.decode()
    assert (answer.status_code, answer["Retry-After"]) == (503, "5")
    assert 'lang="it"' in page
    assert "10.0.0.7" not in page
    assert answer["X-Request-ID"] in page


def test_a_host_that_is_not_ours_is_refused_with_a_page(client, db):
    for host in ("evil.example", "localhost.evil.example", "evil.example:80", "@evil", "a b"):
        answer = client.get("/account/login/", headers={"Host": host})
        assert answer.status_code == 400, host
        assert "made no sense" in answer.content.decode()
        assert answer["X-Request-ID"] in answer.content.decode()


# Logs


@pytest.fixture
def written():
    """What the log of this test would be, as the portal writes it."""
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    handler.setFormatter(Line())
    loggers = [logging.getLogger(name) for name in ("", "django", "django.server")]
    for logger in loggers:
        logger.addHandler(handler)
    yield out.getvalue
    for logger in loggers:
        logger.removeHandler(handler)


TOKEN = "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("Gone: /l/0123456789abcdef/ and /l/deadbeef/renew/", "Gone: /l/***/ and /l/***/renew/"),
        ("/account/login/?next=%2Fl%2Fabc%2F&x=1", "/account/login/?next=%2Fl%2F***%2F&x=1"),
        (f"No link of {TOKEN}", "No link of ***"),
        ("/x/?code=AB12CD34&page=2", "/x/?code=***&page=2"),
        ("{'password1': \"it's\", 'name': 'Bob'}", "{'password1': \"***\", 'name': 'Bob'}"),
        ("{'new_password': ['secret'], 'a': ['b']}", "{'new_password': ['***'], 'a': ['b']}"),
        ("Cookie: __Host-session=abc; csrf=def", "Cookie: __Host-session=***; csrf=***"),
        (
            "new row violates x\nDETAIL:  Failing row contains (1, bob, argon2$x).\nnext",
            "new row violates x\nDETAIL:  Failing row contains (***).\nnext",
        ),
    ],
)
def test_secrets_are_rubbed_out_of_what_is_said(said, kept):
    assert scrub(said) == kept
    assert scrub(kept) == kept


@pytest.mark.parametrize(
    "said",
    ["GET /courses/sourdough/lessons/7/ 404", "Job import:7 failed, exit code: 3", "0" * 32],
)
def test_what_is_no_secret_stays(said):
    assert scrub(said) == said


def test_a_traceback_holds_no_secret_either(written):
    error = ValueError(f"/l/{TOKEN}/ and {{'password': 'hunter2'}}")
    logging.getLogger("anything").error("Broken: %s", f"/l/{TOKEN}/", exc_info=error)
    assert "ValueError: /l/***/" in written()
    assert "hunter2" not in written()
    assert TOKEN not in written()


def test_django_says_what_is_gone_without_its_key(client, db, written):
    answer = client.get(f"/l/{TOKEN}/")
    [line] = [line for line in written().splitlines() if "Gone" in line]
    assert line.endswith("Gone: /l/***/")
    assert answer["X-Request-ID"] in line


def test_a_report_of_an_error_shows_neither_what_was_typed_nor_variables():
    request = RequestFactory().post("/x/", {"password": "hunter2", "q": "Bob"})
    report = get_exception_reporter_filter(request)
    assert set(report.get_post_parameters(request).values()) == {report.cleansed_substitute}
    frame = SimpleNamespace(f_locals={"password": "hunter2"})
    assert report.get_traceback_frame_variables(request, frame) == []


def test_the_web_server_keeps_no_access_log_and_one_turned_on_holds_no_secret(monkeypatch):
    monkeypatch.setattr(logging.root, "handlers", [])  # they are the server's while it starts
    assert server.accesslog is None
    config = Config()
    config.set("accesslog", "-")
    config.set("logger_class", server.Logger)
    config.set("logconfig_dict", server.logconfig_dict)
    logger = config.logger_class(config)
    out = io.StringIO()
    for handler in logger.access_log.handlers:
        handler.setStream(out)
    assert logger.access_log.handlers
    environ = {
        "REQUEST_METHOD": "GET",
        "RAW_URI": f"/l/{TOKEN}/?code=AB12CD34",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_REFERER": f"https://portal.example.com/l/{TOKEN}/",
    }
    answer, request = (SimpleNamespace(status="200 OK", sent=1, headers=[]) for _ in range(2))
    logger.access(answer, request, environ, timedelta(seconds=1))
    assert '"GET /l/***/?code=*** HTTP/1.1" 200' in out.getvalue()
    assert TOKEN not in out.getvalue()


# Addresses


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "127.0.0.1"},
        {"X-Forwarded-Host": "evil.example"},
        {"X-Host": "evil.example", "Forwarded": "host=evil.example"},
        {"Host": "localhost:4444", "X-Forwarded-Proto": "https", "X-Forwarded-Port": "4444"},
    ],
)
def test_links_lead_to_the_portal_whatever_the_browser_calls_us(
    bob, client, school, committed, mailoutbox, settings, headers
):
    settings.PORTAL_URL = "https://portal.example.com"
    with committed():
        client.post("/account/password/reset/", {"email": bob.email}, headers=headers)
    [mail] = mailoutbox
    bodies = [mail.body, *(part.content for part in mail.alternatives)]
    for body in bodies:
        links = re.findall(r"https?://[^\s\"'<>)]+", body)
        assert any("/l/" in link for link in links)
        assert all(link.startswith("https://portal.example.com/") for link in links), links
    page = client.get("/account/login/", headers=headers)
    assert "evil.example" not in page.content.decode()
    assert "evil.example" not in str(page.headers)


@pytest.mark.parametrize(
    ("proxies", "forwarded", "address"),
    [
        (0, "192.0.2.7", "127.0.0.1"),
        (0, "", "127.0.0.1"),
        (1, "192.0.2.7", "192.0.2.7"),
        (1, "10.0.0.1, 10.0.0.2, 192.0.2.7", "192.0.2.7"),
        (2, "10.0.0.1, 192.0.2.7, 10.9.9.9", "192.0.2.7"),
        (2, "192.0.2.7", "127.0.0.1"),  # fewer hops than we have proxies: nobody's word
        (1, "", None),
        (1, ",", None),
        (1, "192.0.2.7, <script>", None),
        (1, "192.0.2.7, 999.1.1.1", None),
    ],
)
def test_only_our_own_proxies_are_believed(client, bob, settings, proxies, forwarded, address):
    settings.TRUSTED_PROXIES = proxies
    words = {"login": bob.email, "password": make.PASSWORD}
    client.post("/account/login/", words, headers={"X-Forwarded-For": forwarded})
    assert Event.objects.get(name="portal.login").address == address


@given(forwarded=st.text(max_size=60), proxies=st.integers(0, 4))
def test_whatever_is_claimed_an_address_is_one_or_none(forwarded, proxies):
    request = RequestFactory().get("/", headers={"X-Forwarded-For": forwarded})
    with override_settings(TRUSTED_PROXIES=proxies):
        said = client_address(request)
    assert said is None or str(ip_address(said)) == said
    assert proxies or said == "127.0.0.1"
