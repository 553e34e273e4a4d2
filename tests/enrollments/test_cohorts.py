"""Putting people into cohorts: by a grant, by the enrollment form, many at once, and back; and finding them."""

from __future__ import annotations

import make
import pytest
from django.db import connection
from django.http import QueryDict
from django.test.utils import CaptureQueriesContext

from accounts.models import BulkRun, Contact
from accounts.selection import Selection
from enrollments.models import Enrollment, Grant
from offers.models import Cohort
from portal.events import Name
from portal.models import Event

NEW = "/dashboard/bulk/new/"


@pytest.fixture
def staff(login, alice, school):
    return login(alice)


@pytest.fixture
def bread(db):
    return make.course("Bread")


@pytest.fixture
def march(bread):
    return Cohort.objects.create(course=bread, title="March")


@pytest.fixture
def april(bread):
    return Cohort.objects.create(course=bread, title="April")


@pytest.fixture
def bakery(bread, db):
    return make.offer("Bakery", courses=[bread, make.course("Cheese")])


def cohorts(contact):
    rows = Enrollment.objects.filter(contact=contact).order_by("course__title")
    return [title for (title,) in rows.values_list("cohort__title")]


def told():
    events = Event.objects.filter(name=Name.ENROLLMENT_CHANGED).order_by("pk")
    return [(event.data["before"], event.data["cohort"]) for event in events]


# Granting


def test_a_grant_puts_a_person_into_a_cohort_of_a_course_it_opens(bob, bakery, march):
    foreign = Cohort.objects.create(course=make.course("Wine"), title="May")
    make.grant(contact=bob, offer=bakery, cohorts=[march, foreign])
    assert cohorts(bob) == ["March", None]
    assert told() == [(None, march.pk)]


def test_granting_again_leaves_the_cohort_of_who_holds_it(bob, bakery, march, april):
    make.grant(contact=bob, offer=bakery, cohorts=[march])
    make.grant(contact=bob, offer=bakery, cohorts=[april])
    assert cohorts(bob) == ["March", None]
    outcomes = Grant.objects.grant_many(
        contact_ids=[bob.pk], offer=bakery, source="manual", if_held="set", cohorts=[april]
    )
    assert outcomes == {bob.pk: "updated"}
    assert told() == [(None, march.pk), (march.pk, april.pk)]


def test_a_new_grant_moves_who_was_enrolled_before(bob, bakery, march, april):
    make.grant(contact=bob, offer=bakery, cohorts=[march]).revoke()
    make.grant(contact=bob, offer=bakery, cohorts=[april])
    assert cohorts(bob) == ["April", None]


def test_a_cohort_costs_a_few_statements_for_however_many(db, bakery, march):
    def statements(number):
        pks = [make.contact().pk for _n in range(number)]
        with CaptureQueriesContext(connection) as caught:
            Grant.objects.grant_many(
                contact_ids=pks, offer=bakery, source="manual", cohorts=[march]
            )
        assert march.enrollments.filter(contact__in=pks).count() == number
        return len(caught)

    statements(1)
    assert statements(40) == statements(2)


def test_the_grant_form_asks_for_each_course_with_a_cohort_to_come(staff, bob, bakery, march):
    over = Cohort.objects.create(course=march.course, title="Old", ends_on="2020-01-01")
    url = f"/dashboard/contacts/{bob.pk}/grants/new/"
    html = staff.get(url).content.decode()
    assert "Cohort in “Bread”" in html
    assert "Cohort in “Cheese”" not in html
    assert f'value="{over.pk}">Old' not in html
    name = f"cohort_{march.course_id}"
    staff.post(url, {f"offer_{bakery.pk}": "on", name: march.pk})
    assert cohorts(bob) == ["March", None]
    assert "Stays in “March”" in staff.get(url).content.decode()


def test_who_holds_the_offer_is_not_moved_and_staff_are_told_how(staff, bob, bakery, march):
    make.grant(contact=bob, offer=bakery)
    url = f"/dashboard/contacts/{bob.pk}/grants/new/"
    how = "To move them to another cohort, edit the enrollment."
    words = {f"offer_{bakery.pk}": "on"}
    assert how not in staff.post(url, words, follow=True).content.decode()
    words[f"cohort_{march.course_id}"] = march.pk
    assert how in staff.post(url, words, follow=True).content.decode()
    assert cohorts(bob) == [None, None]


def test_a_cohort_of_a_course_nobody_is_given_is_refused(staff, bob, bakery, march):
    wine = make.offer("Wine", courses=[make.course("Wine")])
    words = {f"offer_{wine.pk}": "on", f"cohort_{march.course_id}": march.pk}
    html = staff.post(f"/dashboard/contacts/{bob.pk}/grants/new/", words).content.decode()
    assert "No offer you chose holds “Bread”." in html
    assert not Grant.objects.exists()


def test_a_member_is_registered_into_a_cohort(staff, bakery, march):
    words = {
        "name": "Dora",
        "email": "dora@example.com",
        f"offer_{bakery.pk}": "on",
        f"cohort_{march.course_id}": march.pk,
        "status": "active",
    }
    assert staff.post("/dashboard/contacts/register/", words).status_code == 302
    assert cohorts(Contact.objects.get(email="dora@example.com")) == ["March", None]


# The enrollment form


def test_the_enrollment_form_moves_a_person_and_unlocks_all(staff, bob, bakery, march, april):
    make.grant(contact=bob, offer=bakery, cohorts=[march])
    mine = Enrollment.objects.get(course=march.course)
    url = f"/dashboard/enrollments/{mine.pk}/edit/"
    [row] = staff.get(url).context["rows"]
    words = {}
    for field in (row.status, row.learning, row.enrolled_on, row.cohort, row.unlocked):
        value = field.field.widget.format_value(field.value())
        value = value[0] if isinstance(value, list) else value
        words |= {field.name: value or "", f"initial-{field.name}": value or ""}
    words |= {f"cohort_{mine.pk}": april.pk, f"unlocked_{mine.pk}": "on"}
    words[f"initial-unlocked_{mine.pk}"] = "False"
    assert staff.post(url, words).status_code == 302
    mine.refresh_from_db()
    assert mine.cohort == april
    assert mine.unlocked_at
    # A page that was opened before carries what it showed: it does not move them back.
    stale = words | {f"cohort_{mine.pk}": march.pk, f"initial-cohort_{mine.pk}": march.pk}
    stale |= {f"initial-unlocked_{mine.pk}": "True"}
    staff.post(url, stale)
    mine.refresh_from_db()
    assert mine.cohort == april
    words |= {f"cohort_{mine.pk}": "", f"initial-cohort_{mine.pk}": april.pk}
    staff.post(url, words)
    mine.refresh_from_db()
    assert mine.cohort is None


# Many at once


@pytest.fixture
def act(staff, committed):
    def do(contacts, *, sure=True, action="cohort", **terms):
        words = {"action": action, "terms": "1", "ids": [contact.pk for contact in contacts]}
        words |= terms | ({"sure": "1"} if sure else {})
        with committed():
            return staff.post(NEW, words, follow=True).content.decode()

    return do


def outcomes(run):
    return dict(run.rows.values_list("contact__name", "outcome"))


def test_many_are_moved_told_and_moved_back(
    act, staff, committed, bob, charlie, bakery, march, april
):
    make.grant(contact=bob, offer=bakery, cohorts=[march])
    make.grant(contact=charlie, offer=bakery, cohorts=[april])
    stranger = make.contact("Stranger")
    everybody = [bob, charlie, stranger]
    html = act(everybody, sure=False, cohort=april.pk)
    assert "Moves 1 person in “Bread”." in html
    assert "1 is there already." in html
    assert "1 is not enrolled in the course" in html
    assert cohorts(bob) == ["March", None]
    html = act(everybody, cohort=april.pk)
    assert "Move to “April” in “Bread”" in html
    run = BulkRun.objects.get()
    assert outcomes(run) == {
        "Bob Baker": "changed",
        "Charlie Cook": "unchanged",
        "Stranger": "refused",
    }
    assert cohorts(bob) == ["April", None]
    with committed():
        staff.post(f"/dashboard/bulk/{run.pk}/undo/")
    assert cohorts(bob) == ["March", None]
    assert cohorts(charlie) == ["April", None]


def test_undoing_leaves_who_was_moved_again_since(
    act, staff, committed, bob, charlie, bakery, march, april
):
    for person in (bob, charlie):
        make.grant(contact=person, offer=bakery, cohorts=[march])
    act([bob, charlie], cohort=f"leave-{march.course_id}")
    assert cohorts(bob) == [None, None]
    run = BulkRun.objects.get()
    act([charlie], cohort=april.pk)
    with committed():
        staff.post(f"/dashboard/bulk/{run.pk}/undo/")
    assert cohorts(bob) == ["March", None]
    assert cohorts(charlie) == ["April", None]


def test_granting_in_bulk_puts_the_new_ones_into_a_cohort_and_undo_takes_them_out(
    act, staff, committed, bob, charlie, bakery, march, april
):
    make.grant(contact=bob, offer=bakery, cohorts=[april])
    terms = {
        "offer": bakery.pk,
        "mode": "default",
        "if_held": "leave",
        f"cohort_{march.course_id}": march.pk,
    }
    html = act([bob, charlie], action="grant", sure=False, **terms)
    assert "In “Bread” they come into the cohort “March”." in html
    act([bob, charlie], action="grant", **terms)
    assert (cohorts(bob), cohorts(charlie)) == (["April", None], ["March", None])
    with committed():
        staff.post(f"/dashboard/bulk/{BulkRun.objects.get().pk}/undo/")
    assert (cohorts(bob), cohorts(charlie)) == (["April", None], [None, None])


# Finding them


def found(*where):
    selection = Selection.from_query(QueryDict("&".join(f"where={each}" for each in where)))
    assert not selection.problems
    return set(selection.contacts().values_list("name", flat=True))


def test_people_are_found_by_cohort(bob, charlie, bakery, bread, march, april, school):
    make.grant(contact=bob, offer=bakery, cohorts=[march])
    make.grant(contact=charlie, offer=bakery)
    cheese = bakery.courses.get(title="Cheese")
    assert found(f"cohort:is:{march.pk}") == {"Bob Baker"}
    assert found(f"cohort:is:{march.pk},{april.pk}") == {"Bob Baker"}
    assert found(f"cohort:is_not:{march.pk}") == {"Charlie Cook"}
    assert found("cohort:is:none", f"course:is:{bread.pk}") == {"Charlie Cook"}
    assert found("cohort:is:none", f"course:is:{cheese.pk}") == {"Bob Baker", "Charlie Cook"}
    assert found(f"cohort:is:{march.pk}", f"course:is:{cheese.pk}") == set()


def test_the_list_of_contacts_shows_the_cohorts(staff, bob, bakery, march):
    make.grant(contact=bob, offer=bakery, cohorts=[march])
    html = staff.get("/dashboard/contacts/?columns=cohorts").content.decode()
    assert "Bread: March" in html


def test_the_export_names_the_cohort(staff, bob, bakery, march):
    make.grant(contact=bob, offer=bakery, cohorts=[march])
    words = {"format": "csv", "where": f"cohort:is:{march.pk}"}
    answer = staff.post("/dashboard/exports/enrollments/", words)
    assert ";March;" in b"".join(answer).decode("utf-8-sig").replace(",", ";")


def test_moving_is_told_in_words(staff, bob, bakery, march):
    make.grant(contact=bob, offer=bakery, cohorts=[march])
    url = f"/dashboard/contacts/{bob.pk}/timeline/"
    assert "cohort: March" in staff.get(url).content.decode()
    mine = Enrollment.objects.get(course=march.course)
    lesson = march.course.modules.get().lessons.first()
    mine.unlock(lesson)
    mine.unlock_all()
    mine.lock(lesson)
    mine.unlock_all(on=False)
    html = staff.get(url).content.decode()
    for words in ("unlocked", "all lessons unlocked", "locked again", "the rules hold again"):
        assert words in html
