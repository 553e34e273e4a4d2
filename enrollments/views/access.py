"""Why a contact can, or cannot, open a course."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render

from accounts.decorators import staff_required
from accounts.http import StaffRequest
from accounts.models import Contact
from enrollments import access
from offers.models import Course


@staff_required("view_contacts")
def access_detail(request: StaffRequest, contact_pk: int, course_pk: int) -> HttpResponse:
    """Why a contact can, or cannot, open a course."""
    contact = get_object_or_404(Contact, pk=contact_pk)
    course = get_object_or_404(Course, pk=course_pk)
    context = {"contact": contact, "course": course, "verdict": access.verdict(contact, course)}
    return render(request, "enrollments/dashboard/access_detail.html", context)
