"""Why a contact can, or cannot, open a course."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render

from accounts.decorators import staff_required
from accounts.http import StaffRequest
from accounts.models import Contact
from enrollments import access
from enrollments.forms.access import AccessForm
from offers.models import Course


@staff_required("view_contacts")
def access_detail(request: StaffRequest, contact_pk: int, course_pk: int) -> HttpResponse:
    """The verdict and its reasons, each with the button that mends it; for htmx the panel alone."""
    contact = get_object_or_404(Contact.objects.select_related("user"), pk=contact_pk)
    course = get_object_or_404(Course, pk=course_pk)
    context = {"contact": contact, "course": course, "verdict": access.verdict(contact, course)}
    fragment = "#panel" if request.htmx else ""
    return render(request, f"enrollments/dashboard/access_detail.html{fragment}", context)


@staff_required("view_contacts")
def access_explain(request: StaffRequest) -> HttpResponse:
    """“Why can't she see it?”: asks for a person and a course, and answers below."""
    form = AccessForm(request.GET if {"email", "course"} & request.GET.keys() else None)
    context: dict[str, Any] = {"form": form}
    if form.is_valid():
        people = Contact.objects.select_related("user")
        contact, course = people.get(email=form.cleaned_data["email"]), form.cleaned_data["course"]
        verdict = access.verdict(contact, course)
        context |= {"contact": contact, "course": course, "verdict": verdict}
    elif form.is_bound:
        chosen = request.GET.get("course", "")
        context["candidates"] = [
            (person, "?" + urlencode({"email": person.email, "course": chosen}))
            for person in form.candidates
        ]
    return render(request, "enrollments/dashboard/access_explain.html", context)
