"""Staff pages about quizzes: who tried, and what each answered."""

from __future__ import annotations

from django.db.models import Model
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render

from accounts.decorators import staff_required
from accounts.http import StaffRequest
from accounts.models import Contact
from enrollments.models import Enrollment, QuizAttempt
from offers.models import Course, Lesson, Quiz
from portal.addresses import is_pk
from portal.paging import Page, Place

PAGE = 50

# What an address may narrow the list to.
NOUNS: dict[str, type[Model]] = {"contact": Contact, "course": Course, "lesson": Lesson}
QUIZZES = {"course": "lesson__module__course", "lesson": "lesson"}  # where a quiz has them


@staff_required("view_contacts")
def quiz_attempt_list(request: StaffRequest) -> HttpResponse:
    """Every attempt, the newest first; of one contact, course or quiz if the address names one."""
    named: dict[str, Model] = {}
    for word, noun in NOUNS.items():
        if asked := request.GET.get(word, ""):
            named[word] = get_object_or_404(noun, pk=asked if is_pk(asked) else None)
    context = {"page": _page(named, Place(request.GET, size=PAGE)), **named}
    return render(request, "enrollments/dashboard/quiz_attempt_list.html", context)


def _page(named: dict[str, Model], place: Place) -> Page[QuizAttempt]:
    """The attempts at this place among those that are `named`. Two statements."""
    found = QuizAttempt.objects.all()
    about = {QUIZZES[word]: noun.pk for word, noun in named.items() if word in QUIZZES}
    quizzes = Quiz.objects.filter(**about)
    if "contact" in named:
        theirs = Enrollment.objects.filter(contact=named["contact"].pk)
        found = found.filter(quiz__in=quizzes) if about else found
        keys = place.keys(found, by="enrollment", of=theirs)
    elif about:
        keys = place.keys(found, by="quiz", of=quizzes)
    else:
        keys = list(place.cut(found).values_list("pk", flat=True))
    shown = QuizAttempt.objects.select_related(
        "enrollment__contact", "enrollment__course", "quiz__lesson"
    )
    return place.page(shown.defer("sheet").filter(pk__in=keys))


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
