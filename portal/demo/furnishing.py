"""What the courses have besides their texts: covers, rules, a quiz, a live class, files, cohorts."""

from __future__ import annotations

import io
from datetime import datetime, timedelta
from random import Random

from django.core.files.base import ContentFile
from PIL import Image, ImageDraw, ImageFilter

from offers.models import (
    Attachment,
    Choice,
    Cohort,
    Course,
    Lesson,
    LessonKind,
    Module,
    Question,
    Quiz,
    Requirement,
)
from offers.models.course import next_position
from portal.models import File, FileKind

SIZE = (960, 540)
PALETTES = {  # floor, crust, light
    "sourdough": ("#4a2c17", "#b9783f", "#f1d4a2"),
    "pizza": ("#5b1f17", "#cf5b36", "#f6c65b"),
    "croissants": ("#5d3a12", "#d59a45", "#fae3b4"),
    "pasta": ("#33402a", "#93a45c", "#f2e7b9"),
    "small-bakery": ("#25384a", "#5b86a6", "#e8d9bd"),
    "panettone": ("#3f1f35", "#a5527c", "#f3d28f"),
}
TABLE = """ingredient,percent,grams
flour,100,500
water,72,360
starter,20,100
salt,2,10
"""
QUESTIONS = [
    ("When is a starter ready to bake with?", "It doubles within six hours of being fed.", ("It smells of nothing.", "It is exactly a week old.")),
    ("Why does the dough rest before the salt goes in?", "The flour drinks, and gluten begins by itself.", ("The salt has to warm up.", "So that the crust gets darker.")),
    ("The loaf is pale after forty minutes. What now?", "Lid off, and ten minutes more.", ("Take it out: it is done.", "Turn the oven down.")),
]  # fmt: skip


def furnish(courses: dict[str, Course], *, today: datetime) -> None:
    """Give each course a cover, and some of them what makes them more than texts. `today` is the present."""
    for slug, course in courses.items():
        course.cover = _cover(slug)
        course.save(update_fields=["cover"])
    sourdough = courses["sourdough"]
    sourdough.enforces_order = True
    sourdough.save(update_fields=["enforces_order"])
    _attach_table(sourdough)
    _add_quiz(sourdough)
    pasta = courses["pasta"].modules.all()
    Module.objects.filter(pk__in=[module.pk for module in pasta[1:]]).update(opens_after=7)
    bakery = courses["small-bakery"]
    _add_live_class(bakery, at=today + timedelta(days=7))
    day = today.date()
    Cohort.objects.create(
        course=bakery,
        title="Spring class" if day.month < 7 else "Autumn class",
        starts_on=day - timedelta(days=80),
        ends_on=day + timedelta(days=20),
    )
    Cohort.objects.create(
        course=bakery, title="Next class", starts_on=day + timedelta(days=35), ends_on=None
    )
    _add(courses["pizza"], "Pizza for a party of twenty", published_at=None)


def _cover(slug: str) -> File:
    """A still life of loaves, more or less."""
    floor, crust, light = PALETTES[slug]
    dice = Random(slug)  # noqa: S311 -- it decides on where a loaf lies
    picture = Image.new("RGB", SIZE, floor)
    draw = ImageDraw.Draw(picture)
    for _ in range(7):
        x, y, r = dice.randint(0, SIZE[0]), dice.randint(90, SIZE[1]), dice.randint(60, 190)
        draw.ellipse((x - r, y - r * 0.7, x + r, y + r * 0.7), fill=crust)
        draw.arc(
            (x - r * 0.6, y - r * 0.5, x + r * 0.6, y + r * 0.4), 200, 330, fill=light, width=9
        )
    draw.ellipse((640, -180, 1100, 240), fill=light)
    content = io.BytesIO()
    picture.filter(ImageFilter.GaussianBlur(3)).save(content, "WEBP", quality=80)
    return _file(FileKind.IMAGE, f"{slug}.webp", "image/webp", content.getvalue())


def _file(kind: FileKind, name: str, content_type: str, content: bytes) -> File:
    file = File(kind=kind, name=name, content_type=content_type, size=len(content))
    file.content.save(name, ContentFile(content), save=False)
    file.save()
    return file


def _attach_table(course: Course) -> None:
    first = Lesson.objects.filter(module__course=course).in_order()[0]
    kind = "application/octet-stream"
    table = _file(FileKind.DOCUMENT, "baker’s percentages.csv", kind, TABLE.encode())
    Attachment.objects.create(lesson=first, file=table)


def _add(course: Course, title: str, **fields: object) -> Lesson:
    """A lesson at the end of the course."""
    module = course.modules.order_by("-position")[0]
    place = next_position(module.lessons.all())
    return Lesson.objects.create(module=module, title=title, position=place, **fields)


def _add_quiz(course: Course) -> None:
    """Three questions at the end, open to whoever has baked the loaf."""
    loaf = Lesson.objects.filter(module__course=course).in_order().reverse()[0]
    lesson = _add(
        course, "Do you know your dough?", kind=LessonKind.QUIZ, body="Two of three are enough."
    )
    Requirement.objects.create(lesson=lesson, required=loaf)
    quiz = Quiz.objects.create(lesson=lesson, pass_mark=60, max_attempts=3)
    for place, (text, right, wrong) in enumerate(QUESTIONS, start=1):
        question = Question.objects.create(quiz=quiz, text=text, position=place)
        answers = [(wrong[0], False), (right, True), (wrong[1], False)]
        Choice.objects.bulk_create(
            Choice(question=question, text=answer, is_right=is_right, position=position)
            for position, (answer, is_right) in enumerate(answers, start=1)
        )


def _add_live_class(course: Course, *, at: datetime) -> None:
    _add(
        course,
        "Your questions, live",
        kind=LessonKind.LIVE,
        body="Bring your numbers. Whoever cannot come finds the recording here afterwards.",
        live_at=at.replace(hour=19, minute=0, second=0, microsecond=0),
        live_minutes=60,
        join_url="https://meet.example.com/forno-aurora",
    )
