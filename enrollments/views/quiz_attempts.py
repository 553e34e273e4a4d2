"""Staff pages about quizzes: who tried, and what each answered."""

from __future__ import annotations

from urllib.parse import urlencode

from django.db.models import Model
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render

from accounts.decorators import staff_required
from accounts.http import StaffRequest, is_pk
from accounts.models import Contact
from enrollments.models import QuizAttempt
from offers.models import Course, Lesson

PAGE = 50

# What an address may narrow the list to, and where an attempt has it.
NOUNS: dict[str, tuple[type[Model], str]] = {
    "contact": (Contact, "enrollment__contact"),
    "course": (Course, "enrollment__course"),
    "lesson": (Lesson, "quiz__lesson"),
}


@staff_required("view_contacts")
def quiz_attempt_list(request: StaffRequest) -> HttpResponse:
    """Every attempt, the newest first; of one contact, course or quiz if the address names one. Keyset paging."""
    rows = QuizAttempt.objects.select_related(
        "enrollment__contact", "enrollment__course", "quiz__lesson"
    ).defer("sheet")
    named: dict[str, Model] = {}
    for word, (noun, path) in NOUNS.items():
        if asked := request.GET.get(word, ""):
            named[word] = get_object_or_404(noun, pk=asked if is_pk(asked) else None)
            rows = rows.filter(**{path: named[word].pk})
    before = request.GET.get("before", "")
    if is_pk(before):
        rows = rows.filter(pk__lt=int(before))
    page = list(rows.order_by("-pk")[: PAGE + 1])
    narrowed = {word: noun.pk for word, noun in named.items()}
    has_more = len(page) > PAGE
    context = {
        "attempts": page[:PAGE],
        "next_url": f"?{urlencode(narrowed | {'before': page[PAGE - 1].pk})}" if has_more else "",
        "first_url": f"?{urlencode(narrowed)}" if before else "",
        **named,
    }
    return render(request, "enrollments/dashboard/quiz_attempt_list.html", context)


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
