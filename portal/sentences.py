"""Events in words: what the timeline of a contact and the audit page say happened."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from django.db import models
from django.urls import reverse
from django.utils.dateparse import parse_date
from django.utils.formats import date_format, number_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts import browsers
from accounts.mfa import KINDS as FACTORS
from accounts.models import Contact, Role, User
from accounts.models.link import Purpose, Section
from accounts.models.role import WORDS
from accounts.models.session import Entered
from accounts.models.simulation import End
from accounts.simulation import REFUSALS
from enrollments.models import Enrollment
from enrollments.models.enrollment import LearningStatus
from enrollments.models.grant_terms import source_label
from notifications.models import Kind
from offers.models import Cohort, Course, Lesson, Module, Offer, Question, Quiz
from portal.events import Name
from portal.models import Event, School

type Titles = Mapping[tuple[str, int], str]  # (word of the data, pk) -> what it is called today

NOUNS: dict[str, tuple[type[models.Model], str]] = {
    "offer": (Offer, "title"),
    "cohort": (Cohort, "title"),
    "course": (Course, "title"),
    "lesson": (Lesson, "title"),
    "user": (User, "email"),
}

ICONS = {
    "cohort": "users",
    "comment": "comment",
    "contact": "user",
    "course": "book",
    "enrollment": "edit",
    "export": "download",
    "import": "upload",
    "lesson": "check",
    "login": "lock",
    "magic_link": "link",
    "message": "mail",
    "module": "book",
    "note": "edit",
    "offer": "key",
    "password": "lock",
    "portal": "arrow-right",
    "question": "help",
    "quiz": "check",
    "role": "shield",
    "second_factor": "shield",
    "segment": "filter",
    "session": "logout",
    "settings": "settings",
    "simulation": "eye",
}
TONES = {
    Name.OFFER_GRANTED: "good",
    Name.OFFER_RESUMED: "good",
    Name.OFFER_SUSPENDED: "warn",
    Name.OFFER_EXPIRED: "warn",
    Name.COMMENT_HIDDEN: "warn",
    Name.CONTACT_ERASURE_ASKED: "warn",
    Name.SIMULATION_REFUSED: "warn",
    Name.OFFER_REVOKED: "bad",
    Name.CONTACT_BLOCKED: "bad",
}

COUNTS = {
    "created": gettext_lazy("created"),
    "updated": gettext_lazy("updated"),
    "unchanged": gettext_lazy("unchanged"),
    "duplicate": gettext_lazy("duplicates"),
    "failed": gettext_lazy("failed"),
    "revoked": gettext_lazy("grants revoked"),
    "reset": gettext_lazy("dates set back"),
    "dates_left": gettext_lazy("dates left as they are"),
    "archived": gettext_lazy("contacts archived"),
    "contacts_left": gettext_lazy("contacts kept"),
}
EXPORTED = {
    "enrollments": gettext_lazy("Enrollments"),
    "subscriptions": gettext_lazy("Subscriptions"),
    "contacts": gettext_lazy("Contacts"),
    "audit": gettext_lazy("Audit"),
    "my_data": gettext_lazy("Their own data"),
}


@dataclass(frozen=True)
class Sentence:
    """What an event says: "Offer granted: Bakery", and the facts behind it."""

    text: str
    details: tuple[str, ...]
    icon: str
    tone: str
    url: str  # of what it is about, if that has a page

    @property
    def detail(self) -> str:
        return " · ".join(self.details)


def sentences(events: Sequence[Event]) -> list[Sentence]:
    """Each event in words. A statement for each kind of noun, however many events."""
    titles = _titles(events)
    return [_sentence(event, titles) for event in events]


def _titles(events: Sequence[Event]) -> Titles:
    found: dict[tuple[str, int], str] = {}
    for word, (model, column) in NOUNS.items():
        asked = [event for event in events if word in (*_subjects(event), "cohort")]
        if pks := {event.data[word] for event in asked if word in event.data}:
            rows = model._default_manager.filter(pk__in=pks).values_list("pk", column)
            found |= {(word, pk): title for pk, title in rows}
    return found


def _subjects(event: Event) -> tuple[str, ...]:
    """What the event may be about, the nearest first."""
    if event.name in (Name.ROLE_CHANGED, Name.SECOND_FACTOR_CHANGED):
        return ("user",)
    return ("lesson", "offer", "course")


def _sentence(event: Event, titles: Titles) -> Sentence:
    name, data = Name(event.name), event.data
    named = (titles.get((word, data.get(word, 0)), "") for word in _subjects(event))
    subject = data.get("title") or next(filter(None, named), "")
    details = [*FACTS.get(name, _no_facts)(data), *_common(name, data, titles)]
    return Sentence(
        text=f"{name.label}: {subject}" if subject else str(name.label),
        details=tuple(filter(None, details)),
        icon=ICONS.get(event.name.split(".")[0], "info"),
        tone=TONES.get(name, ""),
        url=_address(data),
    )


type Data = Mapping[str, Any]


def _address(data: Data) -> str:
    """The page of what an event is about: an import, the thread of a comment."""
    if "batch" in data:
        return reverse("enrollments:import_detail", args=[data["batch"]])
    if "comment" in data:
        lesson = reverse("enrollments:moderation_detail", args=[data["lesson"]])
        return f"{lesson}?thread={data.get('parent') or data['comment']}#comment-{data['comment']}"
    return ""


def _no_facts(data: Data) -> Iterator[str]:
    yield from ()


def _common(name: Name, data: Data, titles: Titles) -> Iterator[str]:
    """Facts that mean the same in every event that has them."""
    if name in (Name.OFFER_COURSE_ADDED, Name.OFFER_COURSE_REMOVED):
        yield titles.get(("course", data["course"]), "")
    if "source" in data:
        yield _("source: %s") % source_label(data["source"])
    if not data.get("notify", True):
        yield _("without a mail")
    if data.get("reason"):
        yield str(data["reason"])
    if "title" in data:
        yield titles.get(("course", data.get("course", 0)), "")
    elif "cohort" in data:
        pk = data["cohort"]
        yield _("cohort: %s") % (titles.get(("cohort", pk), _("deleted")) if pk else _("none"))
    if data.get("section"):
        yield _("to: %s") % Section(data["section"]).label
    yield from (f"+ {tag}" for tag in data.get("added", []))
    yield from (f"− {tag}" for tag in data.get("removed", []))


def _until(day: str | None) -> str:
    """A last day as recorded, in words."""
    return _("until %s") % date_format(_day(day)) if day else _("no end")


def _day(text: str) -> Any:
    return parse_date(text) or text


def _dates(data: Data) -> Iterator[str]:
    """The last day, with the one before where it was moved."""
    end = _until(data.get("ends_on"))
    yield f"{_until(data['before'])} → {end}" if "before" in data else end


def _expiry(data: Data) -> Iterator[str]:
    yield _("ended on %s") % date_format(_day(data["ends_on"]))


def _changed_fields(model: type[models.Model]) -> Callable[[Data], Iterator[str]]:
    """The names of the fields that were changed, as their form calls them."""

    def facts(data: Data) -> Iterator[str]:
        if data.get("fields"):
            yield ", ".join(_field_label(model, field) for field in data["fields"])

    return facts


def _lesson(data: Data) -> Iterator[str]:
    """What of a lesson was changed, and whether students see it."""
    fields = [field for field in data.get("fields", ()) if field != "published_at"]
    yield from _changed_fields(Lesson)({"fields": fields})
    yield _("Published") if data["published"] else _("Draft")


def _settings(data: Data) -> Iterator[str]:
    """The names of the settings that were changed, each with its new value where that is on record."""
    for name in data["fields"]:
        label = _field_label(School, name)
        yield f"{label}: {_value(School, name, data[name])}" if name in data else label


def _value(model: type[models.Model], name: str, value: Any) -> str:
    """What a field holds, in words."""
    if isinstance(value, bool):
        return _("Yes") if value else _("No")
    if value is None:
        return "—"
    field = cast("models.Field[Any, Any]", model._meta.get_field(name))
    return str(dict(field.flatchoices).get(value, value))


# What is changed beside the columns of a noun, or is better called otherwise.
CHANGED = {
    "archived_at": gettext_lazy("brought back"),
    "attachments": gettext_lazy("Files"),
    "choices": gettext_lazy("Answers"),
    "dates": gettext_lazy("Dates"),
    "order": gettext_lazy("Order"),
}


def _field_label(model: type[models.Model], name: str) -> str:
    if name in CHANGED:
        return str(CHANGED[name])
    return str(cast("models.Field[Any, Any]", model._meta.get_field(name)).verbose_name)


def _new_values(data: Data) -> Iterator[str]:
    """What an enrollment was changed to."""
    for field in data["fields"]:
        value = data.get(field, "")
        match field:
            case "inactive_at":
                yield _("switched off") if value else _("switched on")
            case "enrolled_on":
                yield _("enrolled on %s") % date_format(_day(value))
            case "learning_status":
                yield _("learning status: %s") % LearningStatus(value).label
            case "attempt":
                yield _("begun anew, attempt %s") % value
            case "unlocked_at":
                yield _("all lessons unlocked") if value else _("the rules hold again")
            case "unlocked":
                yield _("unlocked")
            case "locked":
                yield _("locked again")
            case "cohort":
                pass  # named by _common()
            case _:
                yield f"{_field_label(Enrollment, field)}: {value}"


def _counts(data: Data) -> Iterator[str]:
    """The numbers that are not zero."""
    for key, label in COUNTS.items():
        if data.get(key):
            yield f"{number_format(data[key], force_grouping=True)} {label}"


def _exported(data: Data) -> Iterator[str]:
    yield f"{EXPORTED.get(data['what'], data['what'])}, {data['format'].upper()}"
    if data.get("chosen"):
        yield _("chosen contacts: %s") % number_format(data["chosen"], force_grouping=True)
    if data.get("query"):
        yield _("filter: %s") % data["query"]


def _roles(data: Data) -> Iterator[str]:
    before, after = (
        str(Role(data[key]).label) if data.get(key) else _("none") for key in ("before", "after")
    )
    yield after if before == after else f"{before} → {after}"
    if data.get("withheld"):
        withheld = ", ".join(str(WORDS.get(name, name)) for name in data["withheld"])
        yield _("withheld: %s") % withheld


def _mail(data: Data) -> Iterator[str]:
    yield str(Kind(data["kind"]).label)


SECOND_FACTORS = {
    "added": gettext_lazy("added"),
    "removed": gettext_lazy("removed"),
    "renewed": gettext_lazy("made anew"),
    "dropped": gettext_lazy("dropped by staff"),
}


def _second_factor(data: Data) -> Iterator[str]:
    if data.get("kind"):
        yield str(FACTORS.get(data["kind"], data["kind"]))
    yield str(SECOND_FACTORS.get(data["what"], data["what"]))


def _former_address(data: Data) -> Iterator[str]:
    yield _("before: %s") % data["before"]


def _link(data: Data) -> Iterator[str]:
    yield str(Purpose(data["purpose"]).label)
    if data.get("delivery") == "copy":
        yield _("copied, not mailed")
    if data.get("email"):
        yield str(data["email"])


def _password(data: Data) -> Iterator[str]:
    if data.get("temporary"):
        yield _("a temporary one, sent by mail")


def _simulation_ended(data: Data) -> Iterator[str]:
    yield str(End(data["end"]).label)


def _simulation_request(data: Data) -> Iterator[str]:
    """The page that was seen; or what was refused: a page, or the whole of it."""
    if "why" in data:
        yield str(REFUSALS[data["why"]])
    else:
        yield f"{data['method']} {data['path']}"
        yield str(data["status"])


def _browser(data: Data) -> Iterator[str]:
    yield _("everywhere") if data.get("everywhere") else browsers.say(data.get("agent", ""))


def _quiz_result(data: Data) -> Iterator[str]:
    yield _("passed") if data["passed"] else _("not passed")
    yield f"{data['percent']} %"


def _rated(data: Data) -> Iterator[str]:
    yield _("%s of 5 stars") % data["stars"]


def _answered(data: Data) -> Iterator[str]:
    if data.get("parent"):
        yield _("an answer")


def _mended(data: Data) -> Iterator[str]:
    yield ", ".join(data["mended"])


def _way(data: Data) -> Iterator[str]:
    if data.get("way") == "second_factor":
        yield _("Second factor")
    elif data.get("way"):
        yield str(Entered(data["way"]).label)


FACTS: dict[Name, Callable[[Data], Iterator[str]]] = {
    Name.PORTAL_LOGIN: _way,
    Name.LOGIN_FAILED: _way,
    Name.COMMENT_CREATED: _answered,
    Name.CONTACT_UPDATED: _changed_fields(Contact),
    Name.CONTACT_EMAIL_CHANGED: _former_address,
    Name.CONTACT_REPAIRED: _mended,
    Name.MAGIC_LINK_CREATED: _link,
    Name.MAGIC_LINK_USED: _link,
    Name.MAGIC_LINK_REVOKED: _link,
    Name.SESSION_ENDED: _browser,
    Name.OFFER_GRANTED: _dates,
    Name.OFFER_EXTENDED: _dates,
    Name.OFFER_EXPIRED: _expiry,
    Name.OFFER_UPDATED: _changed_fields(Offer),
    Name.COURSE_UPDATED: _changed_fields(Course),
    Name.COURSE_RATED: _rated,
    Name.MODULE_UPDATED: _changed_fields(Module),
    Name.LESSON_CREATED: _lesson,
    Name.LESSON_UPDATED: _lesson,
    Name.QUIZ_UPDATED: _changed_fields(Quiz),
    Name.QUESTION_UPDATED: _changed_fields(Question),
    Name.COHORT_UPDATED: _changed_fields(Cohort),
    Name.ENROLLMENT_CHANGED: _new_values,
    Name.IMPORT_FINISHED: _counts,
    Name.IMPORT_UNDONE: _counts,
    Name.EXPORT_MADE: _exported,
    Name.MESSAGE_REPLAYED: _mail,
    Name.PASSWORD_CHANGED: _password,
    Name.ROLE_CHANGED: _roles,
    Name.SECOND_FACTOR_CHANGED: _second_factor,
    Name.SIMULATION_ENDED: _simulation_ended,
    Name.SIMULATION_VIEWED: _simulation_request,
    Name.SIMULATION_LOADED: _simulation_request,
    Name.SIMULATION_REFUSED: _simulation_request,
    Name.QUIZ_SUBMITTED: _quiz_result,
    Name.SETTINGS_CHANGED: _settings,
}
