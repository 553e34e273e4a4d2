"""The courses, read from the Markdown files beside this module, and the offers that open them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from offers.models import Course, Lesson, Module, Offer
from offers.models.offer import Kind, Status

FOLDER = Path(__file__).with_name("courses")

PUBLISHED = ("sourdough", "pizza", "croissants", "pasta", "small-bakery")
DRAFT = ("panettone",)


@dataclass(frozen=True)
class Terms:
    """One offer: what it is called, which courses it opens, and on what terms."""

    slug: str
    title: str
    description: str
    courses: tuple[str, ...]
    status: Status = Status.ACTIVE
    days: int | None = None
    is_internal: bool = False
    kind: Kind = Kind.STANDARD
    holds_all_courses: bool = False
    reminder_days: tuple[int, ...] = ()


OFFERS = [
    Terms(
        "sourdough",
        "Sourdough from Scratch",
        "The course, and a year to bake it through.",
        ("sourdough",),
        days=365,
    ),
    Terms(
        "pizza-nights",
        "Pizza Nights",
        "Roman pizza in the oven you have. Yours for good.",
        ("pizza",),
    ),
    Terms(
        "pasta-sundays",
        "Pasta Sundays",
        "Two doughs, ten shapes. Yours for good.",
        ("pasta",),
    ),
    Terms(
        "whole-bakery",
        "The Whole Bakery",
        "Bread, pizza, croissants and pasta, for a year.",
        ("sourdough", "pizza", "croissants", "pasta"),
        days=365,
    ),
    Terms(
        "membership",
        "Forno Aurora Membership",
        "Every course there is and every one to come, month by month.",
        ("sourdough", "pizza", "croissants", "pasta", "small-bakery"),
        days=30,
        kind=Kind.SUBSCRIPTION,
        holds_all_courses=True,
        reminder_days=(7, 1),
    ),
    Terms(
        "panettone-weekend",
        "Panettone Weekend",
        "Opens in time for Christmas. Reserve a place now.",
        ("panettone",),
    ),
    Terms(
        "team-and-friends",
        "Team & friends",
        "For those who carry flour bags, and those who taste.",
        ("sourdough", "pizza", "croissants", "pasta"),
        is_internal=True,
    ),
    Terms(
        "wood-fired-weekend",
        "Wood-fired Weekend",
        "Still looking for somebody with an oven and a meadow.",
        ("pizza",),
        status=Status.DRAFT,
    ),
    Terms(
        "spring-tasting",
        "Spring Tasting",
        "Croissants for the four weeks before Easter.",
        ("croissants",),
        status=Status.ARCHIVED,
        days=28,
    ),
]


def make_courses() -> dict[str, Course]:
    """Write every course with its lessons, and publish those that are ready. By slug."""
    made = {slug: _make_course(slug) for slug in (*PUBLISHED, *DRAFT)}
    for slug in PUBLISHED:
        made[slug].publish()
    return made


def make_offers(courses: dict[str, Course]) -> dict[str, Offer]:
    """Make every offer, those that will be archived still active. By slug."""
    made = {}
    for terms in OFFERS:
        offer = Offer.objects.create(
            slug=terms.slug,
            title=terms.title,
            description=terms.description,
            default_days=terms.days,
            is_internal=terms.is_internal,
            kind=terms.kind,
            reminder_days=list(terms.reminder_days),
        )
        if terms.holds_all_courses:
            offer.include_all()
        for slug in terms.courses:
            offer.include(courses[slug])
        if terms.status != Status.DRAFT:
            offer.publish()
        made[terms.slug] = offer
    return made


def _make_course(slug: str) -> Course:
    """One file: `# course`, `## module`, `### lesson`; a line with an address is the lesson's video."""
    [(_level, title, description), *rest] = _sections((FOLDER / f"{slug}.md").read_text("utf-8"))
    course = Course.objects.create(slug=slug, title=title, description=description)
    modules: list[Module] = []
    lessons: list[Lesson] = []
    for level, heading, text in rest:
        if level == 2:
            modules.append(Module(course=course, title=heading, position=len(modules) + 1))
            continue
        video, body = _split_video(text)
        lesson = Lesson(
            module=modules[-1],
            title=heading,
            body=body,
            video_url=video,
            position=len(lessons) + 1,
        )
        lessons.append(lesson)
    Module.objects.bulk_create(modules)
    Lesson.objects.bulk_create(lessons)
    return course


def _sections(text: str) -> Iterator[tuple[int, str, str]]:
    """(level, heading, text below it) of each heading."""
    parts = re.split(r"^(#{1,3}) (.+)$", text, flags=re.MULTILINE)[1:]
    for marks, heading, below in zip(parts[::3], parts[1::3], parts[2::3], strict=True):
        yield len(marks), heading, below.strip()


def _split_video(text: str) -> tuple[str, str]:
    if text.startswith("https://"):
        video, _newline, body = text.partition("\n")
        return video, body.strip()
    return "", text
