"""The journeys people were promised, step by step as their guides tell them, in a real browser.

What stands in quotes is the guide's sentence; the steps below it are what somebody does who follows it.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import make
import pytest
from allauth.account.models import EmailAddress
from django.urls import reverse
from looking import log_in
from playwright.sync_api import Locator, Page, expect
from stage import Stage, wait_until

from accounts.models import Contact, Role, User
from enrollments.models import Enrollment
from offers.models import Course

BOTH_WAYS = pytest.mark.parametrize("has_scripts", [True, False], ids=["scripts", "no scripts"])
LATER, SOONER, ENROLLED = date(2031, 12, 31), date(2031, 3, 1), date(2025, 4, 5)
LATER_SHOWN, SOONER_SHOWN = "Dec. 31, 2031", "March 1, 2031"


@dataclass
class Desk:
    """A member of staff at work."""

    page: Page
    has_scripts: bool = True

    def menu(self, name: str) -> None:
        """Through the menu at the left, which is on every page."""
        navigation = self.page.get_by_role("navigation", name="Menu")
        navigation.get_by_role("link", name=name, exact=True).click()

    def find(self, words: str) -> None:
        """On the list of contacts: filter by a name or an address."""
        self.page.get_by_role("searchbox", name="Search contacts").fill(words)
        self.page.keyboard.press("Enter")
        expect(
            self.page.get_by_role("link", name=f"Remove the filter: matches {words}")
        ).to_be_visible()

    def three_dots(self) -> None:
        self.page.get_by_role("button", name="More", exact=True).click()

    def wait_for(self, sign: Locator) -> None:
        """Until the work behind the page is done: the page says so by itself, or when it is asked again."""
        if self.has_scripts:
            expect(sign).to_be_visible(timeout=30_000)
        else:
            wait_until(lambda: self.page.reload() and sign.is_visible())

    def ask(self, link: Locator) -> Locator:
        """Follow a link that leads to a question: a dialog, or a page of its own."""
        link.click()
        question = self.page.locator(".confirm")
        expect(question).to_be_visible()
        return question

    def says(self, text: str) -> None:
        expect(self.page.get_by_role("status")).to_contain_text(text)


@pytest.fixture
def holders(stage: Stage) -> str:
    """A course that two people hold until the spring, and Alice, who may change that.

    Returns the address of the page that lists who holds it.
    """
    make.staff(email="alice@example.com")
    offer = make.offer("Confectionery", courses=[make.course("Cakes and creams")])
    for name, email in (("Ana Lima", "ana@example.com"), ("Rui Reis", "rui@example.com")):
        make.grant(contact=make.contact(name, email=email), offer=offer, ends_on=SOONER)
    Enrollment.objects.update(enrolled_on=ENROLLED)
    return reverse("enrollments:holder_list", args=[offer.pk])


@BOTH_WAYS
def test_expiration_dates_are_changed_in_bulk_by_a_spreadsheet(
    has_scripts: bool,
    holders: str,
    stage: Stage,
    tmp_path: Path,
    open_browser: Callable[..., Page],
):
    stage.web()
    stage.clock()
    page = open_browser(java_script_enabled=has_scripts)
    desk = Desk(page, has_scripts)
    log_in(page, "alice@example.com")

    # "Prepare a spreadsheet with a header in its first row." Its columns: Nome, Email, Data de expiração.
    # "Fill in the expiration date as dd/mm/aaaa, and save it as CSV."
    sheet = tmp_path / "Membros - Página1.csv"
    sheet.write_bytes(
        "Nome,Email,Data de expiração\r\n"
        "Ana Lima,ana@example.com,31/12/2031\r\n"
        "Rui Reis,RUI@example.com,31/12/2031\r\n"
        "Clara Cruz,clara@example.com,31/12/2031".encode()
    )

    # "Open the menu Members." "Click the three dots at the top right, then Import in bulk."
    desk.menu("Contacts")
    desk.three_dots()
    page.get_by_role("link", name="Import in bulk").click()

    # "At Choose file, select the spreadsheet; below, choose the course or subscription."
    page.get_by_label("File", exact=True).set_input_files(sheet)
    page.get_by_role("group", name="Courses").get_by_label("Cakes and creams").check()
    page.get_by_role("button", name="Upload and check").click()
    start = page.get_by_role("button", name="Start import")
    desk.wait_for(start)
    expect(page.get_by_text("“Data de expiração”")).to_be_visible()
    expect(page.get_by_role("cell", name=LATER_SHOWN)).to_have_count(3)

    # The import starts "with a click"; then "wait until it is done."
    start.click()
    desk.wait_for(page.get_by_role("heading", name="Result"))
    counts = page.locator(".import-counts")
    expect(counts).to_contain_text(re.compile(r"Created\s*1"))
    expect(counts).to_contain_text(re.compile(r"Updated\s*2"))

    # The dates are changed; who is new has been told, nobody else.
    page.get_by_role("link", name="Ana Lima").click()
    expect(page.get_by_role("region", name="Client portal")).to_contain_text(LATER_SHOWN)
    page.goto(holders)
    expect(page.get_by_role("cell", name=LATER_SHOWN)).to_have_count(3)
    [_welcome] = wait_until(lambda: stage.post.to("clara@example.com"))
    wait_until(lambda: stage.post.to("alice@example.com"))  # the import is finished
    assert not stage.post.to("ana@example.com")
    assert not stage.post.to("rui@example.com")


@BOTH_WAYS
def test_the_expiration_date_of_one_person_is_changed(
    has_scripts: bool, holders: str, stage: Stage, open_browser: Callable[..., Page]
):
    stage.web()
    page = open_browser(java_script_enabled=has_scripts)
    desk = Desk(page, has_scripts)
    log_in(page, "alice@example.com")

    # "Open the menu Members." "Filter by the student's name or e-mail."
    desk.menu("Contacts")
    desk.find("ana@example.com")
    expect(page.get_by_role("link", name="Rui Reis")).to_have_count(0)

    # "At the right, under Actions, click the pencil to edit."
    expect(page.get_by_role("columnheader", name="Actions")).to_be_visible()
    page.get_by_role("link", name="Edit enrollments: Ana Lima").click()

    # "Find the course, and at Expiration date put the new date. Check that its status is Active."
    expect(page.get_by_role("heading", name="Cakes and creams")).to_be_visible()
    expect(page.get_by_label("Status", exact=True)).to_have_value("active")
    expiration = page.get_by_label("Expiration date", exact=True)
    expect(expiration).to_have_value(SOONER.isoformat())
    expiration.fill(LATER.isoformat())

    # "Click Save at the end of the page."
    page.get_by_role("button", name="Save").click()
    desk.says("Saved.")
    expect(page.get_by_role("region", name="Client portal")).to_contain_text(LATER_SHOWN)
    page.goto(holders)
    expect(page.get_by_role("row").filter(has_text="Ana Lima")).to_contain_text(LATER_SHOWN)
    expect(page.get_by_role("row").filter(has_text="Rui Reis")).to_contain_text(SOONER_SHOWN)


def test_the_day_of_enrollment_is_in_the_export(
    holders: str, stage: Stage, tmp_path: Path, open_browser: Callable[..., Page]
):
    stage.web()
    page = open_browser()
    desk = Desk(page)
    log_in(page, "alice@example.com")

    # "Open the menu Members, filter by the student's name or e-mail, …"
    desk.menu("Contacts")
    desk.find("Ana")

    # "… click the three dots at the top right, and then Export enrollments."
    desk.three_dots()
    with page.expect_download() as download:
        page.get_by_role("button", name="Export enrollments", exact=True).click()

    # "In the spreadsheet you find the column Enrollment date."
    file = tmp_path / "enrollments.csv"
    download.value.save_as(file)
    with file.open(newline="", encoding="utf-8-sig") as lines:
        [ana] = csv.DictReader(lines)
    assert (ana["Email"], ana["Course"]) == ("ana@example.com", "Cakes and creams")
    assert ana["Enrollment date"] == ENROLLED.isoformat()


@pytest.fixture
def coaching(stage: Stage) -> Course:
    """A course that Alice gives away."""
    make.staff(email="alice@example.com")
    course = make.course("Base coaching")
    make.offer("Coaching for free", courses=[course])
    return course


def test_access_is_given_and_taken_by_hand(
    coaching: Course, stage: Stage, open_browser: Callable[..., Page]
):
    stage.web()
    stage.clock()
    page, student = open_browser(), open_browser()
    desk = Desk(page)
    log_in(page, "alice@example.com")

    # "Go to Contacts in the main menu. If the contact does not exist, click + New contact and
    # put in at least name and e-mail."
    desk.menu("Contacts")
    page.get_by_role("link", name="New contact").first.click()
    page.get_by_label("Name").fill("Dana Dough")
    page.get_by_label("E-mail").fill("dana@example.com")
    page.get_by_role("button", name="Create contact").click()

    # "On the contact's page, go down to the section Client portal, to the box Offers and courses."
    portal = page.get_by_role("region", name="Client portal")
    expect(portal.get_by_role("heading", name="Offers and courses")).to_be_visible()

    # "Click Add course/offer." "Choose the offer of the course." "Click Save."
    portal.get_by_role("link", name="Add course/offer").click()
    page.get_by_label("Coaching for free", exact=True).check()
    page.get_by_role("button", name="Grant access").click()
    desk.says("Dana Dough now has Coaching for free.")

    # "The access mail goes out by itself; who is new gets what they need to log in."
    [letter] = wait_until(lambda: stage.post.to("dana@example.com"))
    student.goto(letter.link_to("Log in without a password"))
    student.get_by_role("button", name="Continue as").click()
    expect(student.get_by_role("link", name="Base coaching").first).to_be_visible()
    assert student.goto(f"/courses/{coaching.slug}/").status == 200

    # "The contact is registered in the client portal." "There you see which offers are active."
    page.reload()
    expect(page.get_by_role("definition").filter(has_text="Joined").first).to_be_visible()
    expect(
        portal.get_by_role("listitem").filter(has_text="Coaching for free").first
    ).to_contain_text("Live")

    # "If you remove an offer, access to the course is revoked at once."
    question = desk.ask(portal.get_by_role("link", name="Revoke… Coaching for free"))
    question.get_by_role("button", name="Revoke", exact=True).click()
    desk.says("“Coaching for free” is revoked.")
    assert student.reload().status == 404


@pytest.fixture
def dana(stage: Stage) -> Contact:
    """She paid for two courses, and neither opens: her grant is suspended. Her login has an address she had once."""
    make.staff(Role.SUPPORT, email="sam@example.com")
    courses = [make.course("Sourdough"), make.course("Ovens")]
    offer = make.offer("Bread basics", courses=courses)
    dana = make.contact("Dana Dough", email="dana@example.com")
    make.contact("Dana Other", email="other@example.com")
    grant = make.grant(contact=dana, offer=offer, source="purchase:1042")
    grant.suspend(reason="Payment in doubt")
    old = EmailAddress(email="dana@old.example.com", verified=True, primary=True)
    old.user = User.objects.get(contact=dana)
    old.save()
    return dana


def test_she_paid_and_cannot_get_in(dana: Contact, stage: Stage, open_browser: Callable[..., Page]):
    stage.web()
    stage.clock()
    page, student = open_browser(), open_browser()
    desk = Desk(page)
    log_in(page, "sam@example.com")

    # "Do a quick search for the contact id of the user."
    page.keyboard.press("Control+k")
    page.keyboard.type("dana")
    page.keyboard.press("Enter")
    page.get_by_role("main").get_by_role("link", name="Dana Dough").click()
    contact_id = page.locator("dl.facts > div").filter(has_text="Contact id")
    expect(contact_id).to_contain_text(str(dana.pk))

    # "You receive e-mails from customers that cannot access what they have purchased": why?
    portal = page.get_by_role("region", name="Client portal")
    why = desk.ask(portal.get_by_role("link", name="Why can't they see it? Sourdough"))
    expect(why).to_contain_text("No: Dana Dough cannot open “Sourdough”.")
    expect(why).to_contain_text("“Bread basics” is suspended since")
    expect(why).to_contain_text("They never logged in")
    why.get_by_role("button", name="Resume").click()
    expect(portal.get_by_role("link", name="Why is it open? Sourdough")).to_be_visible()

    # "Refresh what is synced for this user": whatever else does not fit together.
    page.get_by_role("link", name="Check and repair").click()
    expect(page.locator(".confirm")).to_contain_text("dana@old.example.com")
    page.get_by_role("button", name="Repair").click()
    expect(page.get_by_text("Everything fits together")).to_be_visible()
    page.get_by_role("link", name="Back to the contact").click()
    expect(portal.get_by_role("link", name="Why is it open? Ovens")).to_be_visible()

    # "Now it is time to e-mail the user to let them know that they can access the site."
    portal.get_by_role("button", name="Send login link").click()
    desk.says("A login link is on its way to dana@example.com.")
    [letter] = wait_until(lambda: stage.post.to("dana@example.com"))
    student.goto(_link_in(letter.text))
    student.get_by_role("button", name="Continue as").click()
    expect(student.get_by_role("link", name="Sourdough").first).to_be_visible()

    # "Ask them to click the Lost Your Password link. Once they reset the password they'll be
    # able to access their courses."
    student.context.clear_cookies()
    student.goto("/account/login/")
    student.get_by_role("link", name=re.compile("forgot", re.IGNORECASE)).click()
    student.get_by_label("E-mail").fill("dana@example.com")
    student.get_by_role("button", name="Mail me the link").click()
    [letter] = wait_until(lambda: stage.post.to("dana@example.com")[1:])
    student.goto(_link_in(letter.text))
    student.get_by_label("New password").fill("flour water salt")
    student.get_by_role("button", name="Save and go on").click()
    for title in ("Sourdough", "Ovens"):
        student.goto("/courses/")
        student.get_by_role("link", name=title).click()
        expect(student.get_by_role("heading", level=1, name=title)).to_be_visible()


def _link_in(text: str) -> str:
    """The first link of a mail that lets somebody in."""
    found = re.search(r"http\S+/l/\S+", text)
    assert found, text
    return found[0]


@pytest.fixture
def bakers(stage: Stage) -> str:
    """53 of them, of whom one holds the offer. Returns the address of the page that lists who holds it."""
    make.staff(email="alice@example.com")
    offer = make.offer("Bread basics")
    for number in range(53):
        make.contact(f"Baker {number:02}", email=f"baker{number:02}@example.com")
    make.contact("Charlie Cook", email="charlie@example.com")
    make.grant(contact=Contact.objects.get(name="Baker 00"), offer=offer)
    return reverse("enrollments:holder_list", args=[offer.pk])


@BOTH_WAYS
def test_many_get_an_offer_at_once_and_it_is_taken_back(
    has_scripts: bool, bakers: str, stage: Stage, open_browser: Callable[..., Page]
):
    stage.web()
    stage.clock()
    page = open_browser(java_script_enabled=has_scripts)
    desk = Desk(page, has_scripts)
    log_in(page, "alice@example.com")

    # Filters are chips that read like a sentence.
    desk.menu("Contacts")
    desk.find("baker")
    page.get_by_role("button", name="Filter", exact=True).click()
    if not has_scripts:
        page.get_by_role("link", name="Choose a filter").click()
    page.locator("summary", has_text="Portal status").click()
    portal = page.locator("form").filter(has=page.get_by_label("Portal status"))
    portal.get_by_label("Value").select_option(["none", "active"])
    portal.get_by_role("button", name="Add the filter").click()
    expect(page.locator(".chips")).to_contain_text("Portal status")

    # The page, or all that match.
    bar = page.get_by_role("group", name="With the chosen contacts")
    if has_scripts:
        page.get_by_label("Select this page").check()
        expect(bar).to_contain_text("50 selected")
    bar.get_by_label("Select all that match").check()
    bar.get_by_label("Action").select_option("grant")
    bar.get_by_role("button", name="Go on").click()

    # On what terms; what it will do, in numbers; then it is done.
    expect(page.get_by_text("For 53 contacts.")).to_be_visible()
    page.get_by_label("Offer", exact=True).select_option(label="Bread basics")
    page.get_by_role("button", name="Go on").click()
    question = page.locator(".confirm")
    expect(question).to_contain_text("52 people get “Bread basics”.")
    expect(question).to_contain_text("1 holds it already and keeps what they have.")
    question.get_by_role("button", name="Grant an offer").click()
    undo = page.get_by_role("button", name="Undo")
    desk.wait_for(undo)
    outcomes = page.get_by_role("navigation", name="Outcome")
    expect(outcomes).to_contain_text(re.compile(r"Done\s*52"))
    expect(outcomes).to_contain_text(re.compile(r"Nothing to do\s*1"))
    wait_until(lambda: len(stage.post.letters) == 52)
    assert not stage.post.to("baker00@example.com")
    assert not stage.post.to("charlie@example.com")
    page.goto(bakers)
    expect(page.get_by_text("53 people hold it now.")).to_be_visible()
    page.go_back()

    # And taken back: who held it before keeps it.
    undo.click()
    desk.wait_for(page.get_by_text("Undone for 52 contacts"))
    page.goto(bakers)
    expect(page.get_by_text("1 person holds it now.")).to_be_visible()
    expect(page.get_by_role("link", name="Baker 00")).to_be_visible()
