"""Every URL has a door, and it is shut unless somebody opened it."""

from __future__ import annotations

import re
import uuid

import make
import pytest
from django.contrib.admindocs.views import simplify_regex
from django.urls import URLResolver, get_resolver

from accounts.models import Role

# Each with its reason.
PUBLIC = {
    "/l/1/": "the token is the key",
    "/l/1/renew/": "mails the owner of the token, tells nothing",
    "/account/login/": "the way in",
    "/account/password/reset/": "the way back in",
    "/account/inactive/": "leads nowhere: 404",
    "/account/signup/": "leads nowhere: 404",
    "/account/email/": "leads nowhere: 404",
    "/demo/mail/": "404 outside the demo",
    "/demo/mail/1/": "404 outside the demo",
    "/demo/mail/1/html/": "404 outside the demo",
}


def pages(patterns, prefix="/"):
    for pattern in patterns:
        path = prefix + simplify_regex(str(pattern.pattern)).lstrip("/")
        if isinstance(pattern, URLResolver):
            yield from pages(pattern.url_patterns, path)
        else:
            path = re.sub("<uuid:[^>]+>", str(uuid.UUID(int=1)), path)
            yield re.sub("<[^>]+>", "1", path)


ALL = set(pages(get_resolver().url_patterns))
PAGES = sorted(ALL - set(PUBLIC))
STAFF = [url for url in PAGES if url.startswith("/dashboard/")]

# What each role may open of the dashboard: a moderator its home, their profile and the comments.
HOME = {
    "/dashboard/",
    "/dashboard/activity/",
    "/dashboard/contacts/numbers/",
    "/dashboard/profile/",
}
CLOSED_TO = {
    Role.MODERATOR: [
        url for url in STAFF if url not in HOME and not url.startswith("/dashboard/comments/")
    ],
    Role.SUPPORT: [
        url
        for url in STAFF
        if re.match(
            r"/dashboard/(offers|courses|cohorts|modules|lessons|questions|settings|events|jobs|audit)/",
            url,
        )
        and not re.match(r"/dashboard/(offers/1/holders/(move/)?|courses/1/schedule/)$", url)
    ],
    Role.ADMIN: [url for url in STAFF if re.match(r"/dashboard/(settings|events|jobs)/", url)],
}


def test_every_public_page_exists():
    assert set(PUBLIC) <= ALL


def answers(browser, urls):
    """(address, method, answer) of every address, by GET and by POST."""
    for url in urls:
        for method in ("get", "post"):
            yield url, method, getattr(browser, method)(url)


def test_strangers_are_sent_to_the_login_page(client, db):
    open_doors = [
        (url, method)
        for url, method, answer in answers(client, PAGES)
        if not answer.headers.get("Location", "").startswith("/account/login/")
    ]
    assert PAGES
    assert open_doors == []


def test_a_fragment_leads_the_whole_page_to_the_login(client, db):
    answer = client.get("/dashboard/contacts/count/", headers={"HX-Request": "true"})
    assert answer.headers["HX-Redirect"].startswith("/account/login/")


def test_students_are_refused_at_the_dashboard(login, bob):
    open_doors = [
        (url, method, answer.status_code)
        for url, method, answer in answers(login(bob), STAFF)
        if answer.status_code not in {403, 405}
    ]
    assert STAFF
    assert open_doors == []


@pytest.mark.parametrize("role", CLOSED_TO)
def test_staff_are_refused_what_their_role_is_not_for(login, db, role):
    found = list(answers(login(make.staff(role)), CLOSED_TO[role]))
    open_doors = [
        (url, method, answer.status_code)
        for url, method, answer in found
        if answer.status_code not in {403, 405}
    ]
    refused = {url for url, _method, answer in found if answer.status_code == 403}
    assert open_doors == []
    assert refused == set(CLOSED_TO[role])


def test_staff_who_are_no_student_are_led_to_the_dashboard(login, alice):
    assert login(alice).get("/").headers["Location"] == "/dashboard/"
    assert login(alice).get("/courses/").headers["Location"] == "/dashboard/"
