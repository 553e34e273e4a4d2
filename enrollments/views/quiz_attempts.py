"""Staff pages about quizzes: who tried, and what each answered."""

from __future__ import annotations

from urllib.parse import urlencode

from django.db.models import Model
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render

from accounts.decorators import staff_required
from accounts.http import StaffRequest, is_pk
from accounts.models import Contact
from enrollments.latest import latest
from enrollments.models import Enrollment, QuizAttempt
from offers.models import Course, Lesson, Quiz

PAGE = 50

# What an address may narrow the list to.
NOUNS: dict[str, type[Model]] = {"contact": Contact, "course": Course, "lesson": Lesson}
QUIZZES = {"course": "lesson__module__course", "lesson": "lesson"}  # where a quiz has them


@staff_required("view_contacts")
def quiz_attempt_list(request: StaffRequest) -> HttpResponse:
    """Every attempt, the newest first; of one contact, course or quiz if the address names one. Keyset paging."""
    named: dict[str, Model] = {}
    for word, noun in NOUNS.items():
        if asked := request.GET.get(word, ""):
            named[word] = get_object_or_404(noun, pk=asked if is_pk(asked) else None)
    before = request.GET.get("before", "")
    page = _page(named, before=int(before) if is_pk(before) else None)
    narrowed = {word: noun.pk for word, noun in named.items()}
    has_more = len(page) > PAGE
    context = {
        "attempts": page[:PAGE],
        "next_url": f"?{urlencode(narrowed | {'before': page[PAGE - 1].pk})}" if has_more else "",
        "first_url": f"?{urlencode(narrowed)}" if before else "",
        **named,
    }
    return render(request, "enrollments/dashboard/quiz_attempt_list.html", context)


def _page(named: dict[str, Model], *, before: int | None) -> list[QuizAttempt]:
    """The newest attempts that are `named`: PAGE, and one more if there is."""
    found = (
        QuizAttempt.objects.all() if before is None else QuizAttempt.objects.filter(pk__lt=before)
    )
    about = {QUIZZES[word]: noun.pk for word, noun in named.items() if word in QUIZZES}
    quizzes = Quiz.objects.filter(**about)
    if "contact" in named:
        theirs = Enrollment.objects.filter(contact=named["contact"].pk)
        found = found.filter(quiz__in=quizzes) if about else found
        keys = latest(found, by="enrollment", of=theirs, limit=PAGE + 1)
    elif about:
        keys = latest(found, by="quiz", of=quizzes, limit=PAGE + 1)
    else:
        keys = list(found.order_by("-pk").values_list("pk", flat=True)[: PAGE + 1])
    shown = QuizAttempt.objects.select_related(
        "enrollment__contact", "enrollment__course", "quiz__lesson"
    )
    return list(shown.defer("sheet").filter(pk__in=keys).order_by("-pk"))


@staff_required("view_contacts")
def quiz_attempt_detail(request: StaffRequest, pk: int) -> HttpResponse:
    """One attempt, as it was answered then."""
    found = QuizAttempt.objects.select_related(
        "enrollment__contact", "enrollment__course", "quiz__lesson"
    )
    return render(
        request,
        "enrollments/dashboard/quiz_attempt_detail.html",
        {"tried": get_object_or_404(found, pk=pk)},
    )
