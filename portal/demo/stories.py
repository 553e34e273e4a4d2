"""What happened at the school, each story as those lived it whom it happened to.

Everything goes through the verbs that staff and students use; `moments` sets the clock for them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime, timedelta
from random import Random
from typing import Any

from django.contrib.auth.hashers import make_password
from django.contrib.auth.signals import user_logged_in
from django.db import transaction
from django.utils.timezone import now

from accounts.models import Contact, Link, User
from accounts.models.link import Purpose
from enrollments.models import Enrollment, Grant, QuizAttempt
from notifications.models import Message, State
from offers.models import Lesson, LessonKind, Offer
from portal.context import acting
from portal.demo import catalog, furnishing, people, post
from portal.demo.moments import Story
from portal.demo.people import Colleague, Person
from portal.events import Name, record
from portal.models import School

SESSION = timedelta(days=5)  # then they come from another browser, and log in again


class Chronicle:
    """The ninety days before `present`."""

    def __init__(self, *, present: datetime) -> None:
        self.today = present.astimezone(School.current().zone)
        self.staff: dict[Colleague, User] = {}
        self.offers: dict[str, Offer] = {}
        self.password = make_password(people.PASSWORD)

    def stories(self) -> Iterator[Story]:
        """All of them, in no order: their moments make it."""
        yield self.opening()
        yield self.end_of_the_tasting()
        yield from map(self.office, people.STAFF)
        yield self.student(people.STUDENT)
        yield from map(self.lead, people.LEADS)
        yield from map(self.friend, people.FRIENDS)
        yield from map(self.invited, people.SILENT)
        yield from map(self.invited, people.EXPIRED)
        yield from map(self.invited, people.RESERVED)
        yield self.invited(people.REFUSED)
        yield self.unreachable(people.UNREACHABLE)
        yield from map(self.visitor, people.VISITORS)
        yield from map(self.learner, people.LEARNERS)
        yield from map(self.learner, people.MARKET)
        yield from map(self.finisher, people.FINISHERS)
        yield from map(self.faded, people.FADED)
        yield from map(self.double, people.DOUBLES)
        yield from (self.blocked(*entry) for entry in people.BLOCKED.items())
        yield from (self.future(*entry) for entry in people.FUTURE.items())
        yield from (self.leaver(*entry) for entry in people.LEAVERS.items())
        yield from (self.resting(*entry) for entry in people.SUSPENDED.items())
        yield from map(self.member, people.MEMBERS)
        yield self.renewing(people.RENEWING)
        yield self.again(people.AGAIN)

    # The school

    def opening(self) -> Story:
        """The first day: staff, courses, offers."""
        yield self.at(90, 6)
        for colleague in people.STAFF:
            with acting(user=self.staff.get(people.OWNER)):
                user = User.objects.appoint(email=colleague.email, role=colleague.role)
                user.name = colleague.name
                user.save(update_fields=["name"])
                self.choose_password(user)
            self.staff[colleague] = user
        yield self.at(90, 9)
        with acting(user=self.staff[people.ADMIN]):
            courses = catalog.make_courses()
            furnishing.furnish(courses, today=self.today)
            self.offers = catalog.make_offers(courses)

    def office(self, colleague: Colleague) -> Story:
        """Staff log in on about every third working day."""
        dice = _dice(colleague.name)
        for ago in range(89, -1, -1):
            moment = self.at(ago, colleague.hour, dice)
            if moment.weekday() < 5 and dice.random() < 0.35:
                yield moment
                _enter(self.staff[colleague])

    def end_of_the_tasting(self) -> Story:
        yield self.at(34, 11)
        with acting(user=self.staff[people.ADMIN]):
            self.offers["spring-tasting"].archive()

    # People

    def lead(self, person: Person) -> Story:
        yield self.at(person.day, 10, _dice(person.name))
        with acting(user=self.staff[people.SUPPORT]):
            _write_down(person)

    def friend(self, person: Person) -> Story:
        yield self.at(person.day, 12, _dice(person.name))
        with acting(user=self.staff[people.OWNER]):
            self.give(_write_down(person), person.offer, notify=False)

    def invited(self, person: Person) -> Story:
        """Written down and given an offer in one go, so that one mail tells of it."""
        yield self.at(person.day, 14, _dice(person.name))
        with acting(user=self.staff[people.SUPPORT]):
            self.give(_write_down(person), person.offer)

    def imported(self, person: Person) -> Story:
        """Their row of the market list is in; the rest is up to them."""
        yield self.at(person.day, 17)

    def future(self, person: Person, days: int) -> Story:
        yield self.at(person.day, 15, _dice(person.name))
        school = School.current()
        start = school.start_of(school.today() + timedelta(days=person.day + days))
        with acting(user=self.staff[people.SUPPORT]):
            self.give(_write_down(person), person.offer, starts_at=start, note="A present.")

    def unreachable(self, person: Person) -> Story:
        """Their mail is tried again and again, and given up."""
        yield from self.invited(person)
        while waiting := Message.objects.filter(
            contact=_contact(person), state=State.WAITING
        ).first():
            yield waiting.next_attempt_at
            post.send(waiting.pk)

    def visitor(self, person: Person) -> Story:
        yield from self.invited(person)
        yield from self.come_in(person, self.at(person.day - 1, 19, _dice(person.name)))
        yield self.at(person.day - 2, 10, _dice(person.name))
        with acting(user=self.staff[people.SUPPORT]):
            _contact(person).change(phone=person.phone)
        if person == people.FORGETFUL:
            yield self.at(1, 11)
            with acting(user=self.staff[people.SUPPORT]):
                User.objects.request_temporary_passwords([_contact(person).pk])

    def learner(self, person: Person) -> Story:
        """Is somewhere in the middle of a course by now."""
        yield from self.imported(person) if person in people.MARKET else self.invited(person)
        dice = _dice(person.name)
        lessons = self.lessons_of(person)
        some = lessons[: max(2, len(lessons) * dice.randint(3, 8) // 10)]
        pause = max(2, person.day // 5)
        yield from self.study(person, some, first=person.day - 1, pause=(pause - 1, pause + 1))

    def finisher(self, person: Person) -> Story:
        yield from self.invited(person)
        yield from self.study(person, self.lessons_of(person), first=person.day - 1, pause=(2, 4))

    def faded(self, person: Person) -> Story:
        yield from self.invited(person)
        yield from self.study(
            person, self.lessons_of(person)[:3], first=person.day - 1, pause=(1, 3)
        )
        yield self.at(person.day - 40, 11, _dice(person.name))
        with acting(user=self.staff[people.SUPPORT]):
            contact = _contact(person)
            end = self.today.date() + timedelta(days=400)
            self.give(contact, person.offer, ends={contact.pk: end}, if_held="extend")

    def double(self, person: Person) -> Story:
        yield from self.imported(person)
        yield from self.study(person, self.lessons_of(person)[:4], first=43, pause=(2, 4))
        yield self.at(20, 13, _dice(person.name))
        with acting(user=self.staff[people.SUPPORT]):
            self.give(_contact(person), "whole-bakery")

    def blocked(self, person: Person, reason: str) -> Story:
        yield from self.invited(person)
        yield from self.study(
            person, self.lessons_of(person)[:5], first=person.day - 1, pause=(1, 2)
        )
        yield self.at(person.day - 20, 17, _dice(person.name))
        with acting(user=self.staff[people.SUPPORT]):
            _contact(person).block(reason=reason)

    def leaver(self, person: Person, reason: str) -> Story:
        yield from self.invited(person)
        yield from self.study(
            person, self.lessons_of(person)[:1], first=person.day - 1, pause=(1, 2)
        )
        yield self.at(person.day - 6, 10, _dice(person.name))
        with acting(user=self.staff[people.SUPPORT]):
            _contact(person).grants.all().revoke(reason=reason)

    def resting(self, person: Person, pause: tuple[str, int | None]) -> Story:
        """Access is suspended, and resumed some days later, or not yet."""
        reason, days = pause
        yield from self.invited(person)
        yield from self.study(
            person, self.lessons_of(person)[:5], first=person.day - 1, pause=(2, 3)
        )
        yield self.at(person.day - 18, 10, _dice(person.name))
        with acting(user=self.staff[people.SUPPORT]):
            _contact(person).grants.all().suspend(reason=reason)
        if days is not None:
            yield self.at(person.day - 18 - days, 9, _dice(person.name))
            with acting(user=self.staff[people.SUPPORT]):
                _contact(person).grants.all().resume()

    def member(self, person: Person) -> Story:
        """Holds the subscription for a month."""
        yield from self.invited(person)
        lessons = self.lessons_of(person)[:5]
        yield from self.study(person, lessons, first=person.day - 1, pause=(2, 5))

    def renewing(self, person: Person) -> Story:
        """Is reminded, and pays for another month."""
        yield from self.member(person)
        yield self.at(person.day - 27, 11, _dice(person.name))
        with acting(user=self.staff[people.SUPPORT]):
            for grant in _contact(person).grants.held():
                grant.extend(until=grant.ends_on and grant.ends_on + timedelta(days=30))

    def again(self, person: Person) -> Story:
        """Has finished a course, and begins it again."""
        yield self.at(16, 10, _dice(person.name))
        lessons = self.lessons_of(person)
        with acting(user=self.staff[people.SUPPORT]):
            Enrollment.objects.get(
                contact=_contact(person), course=lessons[0].module.course
            ).restart()
        yield from self.study(person, lessons[:3], first=15, pause=(3, 5))

    def student(self, person: Person) -> Story:
        """The one whose login the demo prints: one course done, one begun, two to come."""
        yield from self.invited(person)
        yield from self.come_in(person, self.at(person.day - 1, 18, _dice(person.name)))
        pasta, sourdough = self.lessons("pasta"), self.lessons("sourdough")
        yield from self.study(person, pasta, first=person.day - 2, pause=(2, 4))
        yield from self.study(person, sourdough[:7], first=14, pause=(1, 3))

    def arrivals(self) -> Iterator[tuple[datetime, Person, str]]:
        """Who comes just now: when, who, and what they are given."""
        fresh = [(person, person.offer) for person in people.ARRIVALS]
        fresh.insert(3, (people.RETURNING, people.RETURNING_OFFER))
        for place, (person, offer) in enumerate(fresh):
            yield self.today - timedelta(minutes=4 * (len(fresh) - place)), person, offer

    def welcome(self, person: Person, offer: str) -> None:
        """Write somebody down who comes now, or find them, and give them an offer."""
        known = Contact.objects.filter(email=person.email).first()
        with acting(user=self.staff[people.SUPPORT]):
            self.give(known or _write_down(person), offer)

    # What they all do

    def at(self, ago: int, hour: int, dice: Random | None = None) -> datetime:
        """That hour, so many days ago, on the school's wall; some minutes later with `dice`."""
        day = self.today.date() - timedelta(days=ago)
        minute, second = (dice.randint(1, 58), dice.randint(0, 59)) if dice else (0, 0)
        return datetime(
            day.year, day.month, day.day, hour, minute, second, tzinfo=self.today.tzinfo
        )

    def give(self, contact: Contact, offer: str, **terms: Any) -> None:
        Grant.objects.grant(contact=contact, offer=self.offers[offer], source="manual", **terms)

    def lessons(self, course: str) -> list[Lesson]:
        """What there is to do by now: no draft, and no class that is still to come."""
        found = Lesson.objects.filter(module__course__slug=course).exclude(kind=LessonKind.LIVE)
        return list(found.published().select_related("module__course").in_order())

    def lessons_of(self, person: Person) -> list[Lesson]:
        """Those of a course that their offer opens."""
        [terms] = [terms for terms in catalog.OFFERS if terms.slug == person.offer]
        return self.lessons(_dice(person.name).choice(terms.courses))

    def come_in(self, person: Person, moment: datetime) -> Story:
        """Log in at `moment`: with the password, the first time with the mailed link to choose one.

        Who came too late for that link asks for another, and does so each time.
        """
        yield moment
        user = _user(person)
        if user.has_usable_password():
            _enter(user)
            return
        link = user.links.usable().filter(purpose=Purpose.SET_PASSWORD).first()
        if link is None:
            Link.objects.mail_to(user, purpose=Purpose.LOGIN)
            yield now() + timedelta(minutes=2)
            link = user.links.usable().latest("pk")
        link.note_opened()
        Link.objects.consume(link.token)
        if link.asks_password:
            self.choose_password(user)
        _enter(user)

    @transaction.atomic
    def choose_password(self, user: User) -> None:
        """As user.change_password(), but hashed once for everybody: hashing is slow on purpose."""
        user.password = self.password
        user.save(update_fields=["password"])
        user.end_access()
        record(Name.PASSWORD_CHANGED, contact=user.contact, user=user.pk, first=True)

    def study(
        self, person: Person, lessons: Collection[Lesson], *, first: int, pause: tuple[int, int]
    ) -> Story:
        """Go through `lessons`, one or two at a sitting, from `first` days ago, with pauses of days."""
        dice = _dice(f"{person.name} {first}")
        ago, left, logged_in_at = first, list(lessons), None
        while left:
            moment = self.at(ago, dice.choice((7, 13, 18, 19, 20, 21)), dice)
            if logged_in_at is None or moment - logged_in_at > SESSION:
                yield from self.come_in(person, moment)
                user, logged_in_at = _user(person), moment
                contact = _contact(person)
                enrollment = Enrollment.objects.get(contact=contact, course=left[0].module.course)
            else:
                yield moment
            contact.note_visit(at=now())
            for _ in range(min(dice.randint(1, 2), len(left))):
                lesson = left.pop(0)
                with acting(user=user):
                    enrollment.open_lesson(lesson)
                yield now() + timedelta(minutes=dice.randint(6, 19))
                with acting(user=user):
                    _do(enrollment, lesson)
                    if left:  # the portal goes on to it
                        enrollment.open_lesson(left[0])
            ago -= dice.randint(*pause)


def _do(enrollment: Enrollment, lesson: Lesson) -> None:
    """Complete a lesson; of a quiz, by passing it at the second attempt."""
    if lesson.kind != LessonKind.QUIZ:
        enrollment.complete(lesson)
        return
    questions = list(lesson.quiz.questions.prefetch_related("choices"))
    right = {
        question.pk: {choice.pk for choice in question.choices.all() if choice.is_right}
        for question in questions
    }
    hasty = {**right, questions[0].pk: set(), questions[1].pk: set()}
    for number, answers in enumerate((hasty, right), start=1):
        QuizAttempt.objects.submit(
            enrollment=enrollment, quiz=lesson.quiz, number=number, answers=answers
        )


def _dice(name: str) -> Random:
    """Chance, but the same for the same person at every filling."""
    return Random(name)  # noqa: S311 -- it decides on the hour of a visit


def _contact(person: Person) -> Contact:
    return Contact.objects.select_related("user").get(email=person.email)


def _user(person: Person) -> User:
    return User.objects.select_related("contact").get(email=person.email)


def _write_down(person: Person) -> Contact:
    known = {"phone": "" if person in people.VISITORS else person.phone}  # they tell it later
    if person.external_id:
        known["external_id"] = person.external_id
    contact = Contact.objects.add(
        email=person.email, name=person.name, language=person.language, **known
    )
    contact.change(**{f"{name}_at": now() for name in person.lists})
    if person.tags:
        contact.tag(person.tags)
    return contact


def _enter(user: User) -> None:
    """Log in, as far as the books of the school are concerned."""
    with acting(user=user):
        user_logged_in.send(sender=User, request=None, user=user)
