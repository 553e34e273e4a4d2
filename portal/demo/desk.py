"""What staff did about many at once, and what they corrected: imports, bulk actions, segments, notes.

Through the same forms and verbs as in the browser; the long work is done as the clock would do it.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import transaction
from django.http import QueryDict
from django.utils.timezone import now

from accounts.bulk import ACTIONS
from accounts.forms import SegmentForm
from accounts.models import BulkRun, Contact, Note, Simulation, Tag
from accounts.models.simulation import End
from accounts.selection import Selection
from enrollments.expiry import record_expired
from enrollments.exporting import ENROLLMENTS
from enrollments.forms.imports import ImportForm
from enrollments.models import Enrollment, ImportBatch
from notifications.reminders import queue_reminders
from portal.context import acting
from portal.demo import people, post
from portal.demo.moments import Story
from portal.demo.people import Colleague, Person
from portal.demo.stories import Chronicle
from portal.events import Name, record
from portal.models import School

type Where = tuple[str, ...]  # filters, as they stand in an address


class Desk:
    """The work of the staff, told beside what happens to everybody."""

    def __init__(self, chronicle: Chronicle) -> None:
        self.past = chronicle

    def stories(self) -> Iterator[Story]:
        """All of them, in no order."""
        yield self.calendar()
        yield self.market_list()
        yield self.hotel()
        yield self.renewals()
        yield self.segments()
        yield self.festival()
        yield self.longer_sourdough()
        yield self.slip()
        yield self.export()
        yield self.switched_off()
        yield self.look()
        yield from (self.correction(*entry) for entry in people.CORRECTED)
        for person, notes in people.NOTES.items():
            yield from (self.note(person, *entry) for entry in notes)

    def calendar(self) -> Story:
        """Every midnight the clock looks what has ended, and whom to remind."""
        for ago in range(89, -1, -1):
            yield self.past.at(ago, 0)
            with acting(cause=f"clock:{ago}"):
                found = record_expired() + queue_reminders()
            if found:
                post.work_off()

    # Imports

    def market_list(self) -> Story:
        """Who signed at the stall, one of them twice, two with a hurried hand."""
        signed = [*people.MARKET, *people.DOUBLES, people.MARKET[0]]
        lines = ["Name;Email;Language;Tags"]
        lines += [f"{p.name};{p.email};{p.language};{', '.join(p.tags)}" for p in signed]
        lines += ["Gianni;gianni at posta;;market", "Sra. Ramalho;;pt-br;market"]
        yield self.past.at(45, 16)
        batch = self.upload(people.SUPPORT, "market-stall.csv", lines, offer="pizza-nights")
        yield self.past.at(45, 16) + timedelta(minutes=3)
        self.start(people.SUPPORT, batch)

    def hotel(self) -> Story:
        """The list of a hotel, for the wrong offer: undone on the next day, when somebody noticed."""
        known, last_day = people.LEARNERS[7], self.day(-20)
        lines = ["Name,Email,External id,Expiration date"]
        lines += [
            f"{person.name},{person.email},H-{place:03},{last_day}"
            for place, person in enumerate(people.HOTEL, start=1)
        ]
        lines.append(f"{known.name},{known.email},,{last_day}")
        yield self.past.at(12, 9)
        batch = self.upload(
            people.ADMIN, "hotel-kitchen.csv", lines, offer="sourdough", notify=False
        )
        yield self.past.at(12, 9) + timedelta(minutes=5)
        self.start(people.ADMIN, batch)
        yield self.past.at(10, 15)
        with acting(user=self.past.staff[people.OWNER]):
            ImportBatch.objects.get(pk=batch.pk).undo()
        post.work_off()

    def renewals(self) -> Story:
        """The members who paid again: uploaded this morning, checked, and not imported yet."""
        paid = [people.MEMBERS[0], people.MEMBERS[1], people.MEMBERS[3], people.MEMBERS[4]]
        lines = ["Nome;Email;Data de expiração;Telefone"]
        lines += [f"{person.name};{person.email};{self.day(-34)};" for person in paid]
        lines += [
            f"Lea Sommer;lea.sommer@briefkasten.example;{self.day(-30)};+49 40 5555 0127",
            f"Duarte Reis;duarte.reis@correio.example;{self.day(-30)};",
            f"{paid[2].name};{paid[2].email};{self.day(-34)};",
            "Pilar Ortega;pilar.ortega@buzon.example;31/02/2027;",
            f"Renzo Costa;renzo.costa(at)posta.example;{self.day(-30)};",
        ]
        yield self.past.today - timedelta(hours=2)
        self.upload(people.ADMIN, "membership-renewals.csv", lines, offer="membership")

    def upload(
        self,
        colleague: Colleague,
        name: str,
        lines: list[str],
        *,
        offer: str,
        notify: bool = True,
    ) -> ImportBatch:
        """Choose a file for an offer, and see its dry run."""
        words = {"contents": [f"offer:{self.past.offers[offer].pk}"], "if_held": "set"}
        form = ImportForm(
            words | ({"notify": "on"} if notify else {}),
            {"file": SimpleUploadedFile(name, "\n".join(lines).encode())},
        )
        with acting(user=self.past.staff[colleague]):
            form.full_clean()
            batch = form.save()
        post.work_off()
        return batch

    def start(self, colleague: Colleague, batch: ImportBatch) -> None:
        with acting(user=self.past.staff[colleague]):
            ImportBatch.objects.get(pk=batch.pk).start()
        post.work_off()

    # Many at once

    def festival(self) -> Story:
        """Whoever reads the newsletter is invited to the festival: a tag to find them by."""
        yield self.past.at(9, 11)
        self.act(people.SUPPORT, "tag", ("list:is:newsletter",), tag="autumn festival")

    def longer_sourdough(self) -> Story:
        """A week without videos is given back."""
        yield self.past.at(15, 10)
        offer = self.past.offers["sourdough"].pk
        where = (f"offer:is:{offer}", "status:is:active")
        self.act(people.ADMIN, "set_end", where, offer=offer, mode="extend", days=7)

    def slip(self) -> Story:
        """A tag for the wrong people, taken back at once."""
        yield self.past.at(6, 16)
        where = (f"offer:is:{self.past.offers['pizza-nights'].pk}",)
        run = self.act(people.SUPPORT, "tag", where, tag="bread club")
        yield self.past.at(6, 16) + timedelta(minutes=4)
        with acting(user=self.past.staff[people.SUPPORT]):
            run.undo()
        post.work_off()

    def act(self, colleague: Colleague, key: str, where: Where, **answers: object) -> BulkRun:
        """Start a bulk action for everybody whom the filters find, and let it be done."""
        action = ACTIONS[key]
        form = action.form(answers)
        form.full_clean()
        with acting(user=self.past.staff[colleague]):
            run = BulkRun.objects.start(
                action=key,
                terms=action.terms(form.cleaned_data),
                contacts=_selection(where).contacts(),
            )
        post.work_off()
        run.refresh_from_db()
        return run

    def segments(self) -> Story:
        """The questions that are asked every week."""
        club = Tag.objects.filter(name="bread club")
        yield self.past.at(4, 9)
        for name, where in (
            (
                "Expired in the last month: call them",
                ("status:is:expired", f"ends:after:{self.day(31)}"),
            ),
            ("Invited, never came", ("portal:is:invited",)),
            ("Newsletter, no course", ("list:is:newsletter", "portal:is:none")),
            (
                "Bread club, quiet",
                (f"tag:is:{club.values_list('pk', flat=True).get()}", "inactive:days:14"),
            ),
        ):
            with acting(user=self.past.staff[people.SUPPORT]):
                form = SegmentForm({"name": name})
                form.full_clean()
                form.save(query=_selection(where).as_query(), user=self.past.staff[people.SUPPORT])

    def export(self) -> Story:
        """The books of the month."""
        yield self.past.at(2, 9)
        with acting(user=self.past.staff[people.ADMIN]):
            ENROLLMENTS.record(Selection(), file_format="xlsx")

    # One at a time

    def note(self, person: Person, ago: int, colleague: Colleague, text: str) -> Story:
        yield self.past.at(ago, 15)
        contact = Contact.objects.get(email=person.email)
        with acting(user=self.past.staff[colleague]):
            Note(contact=contact, author=self.past.staff[colleague], text=text).save()

    def correction(self, person: Person, course: str, status: str, ago: int) -> Story:
        yield self.past.at(ago, 12)
        with acting(user=self.past.staff[people.ADMIN]):
            _enrollment(person, course).change(learning_status=status)

    def switched_off(self) -> Story:
        yield self.past.at(13, 17)
        with acting(user=self.past.staff[people.ADMIN]):
            _enrollment(people.SWITCHED_OFF, people.SWITCHED_OFF_COURSE).switch(on=False)

    def look(self) -> Story:
        """Whose course was switched off calls: support sees the portal as they do, for four minutes."""
        yield self.past.at(12, 10)
        contact = Contact.objects.get(email=people.SWITCHED_OFF.email)
        support = self.past.staff[people.SUPPORT]
        reason = "Calls to say that a course is gone."
        with acting(user=support):
            row = Simulation.objects.start(actor=support, contact=contact, reason=reason)
        for path in ("/", "/courses/"):
            yield now() + timedelta(minutes=2)
            with acting(user=support), transaction.atomic():
                record(
                    Name.SIMULATION_VIEWED,
                    contact=contact,
                    simulation=row.pk,
                    method="GET",
                    path=path,
                    status=200,
                )
        with acting(user=support):
            Simulation.objects.filter(pk=row.pk).finish(End.ENDED)

    def day(self, ago: int) -> str:
        """The day so many days ago (or to come, below zero), in the school's zone, as ISO."""
        at = self.past.today.astimezone(School.current().zone)
        return (at.date() - timedelta(days=ago)).isoformat()


def _selection(where: Where) -> Selection:
    query = QueryDict(mutable=True)
    query.setlist("where", list(where))
    return Selection.from_query(query)


def _enrollment(person: Person, course: str) -> Enrollment:
    return Enrollment.objects.get(contact__email=person.email, course__slug=course)
