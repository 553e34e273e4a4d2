"""What of a course opens when, and for whom."""

from __future__ import annotations

from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render

from accounts.decorators import staff_required
from accounts.http import StaffRequest
from enrollments.schedule import NOBODYS, enrolled, lesson_rows, person_rows
from offers.models import Cohort, Course
from offers.models.cohort import COUNTED
from portal.paging import Place

PAGE = 25
COLUMNS = 6  # cohorts beside each other; the filter shows any other


@staff_required()
def schedule_detail(request: StaffRequest, pk: int) -> HttpResponse:
    """The lessons with their rules and dates, and who is enrolled with what comes next. `?cohort=` is one of them."""
    if not (request.user.may("manage_content") or request.user.may("view_contacts")):
        raise PermissionDenied
    course = get_object_or_404(Course, pk=pk)
    cohorts = list(course.cohorts.all())
    asked = request.GET.get("cohort", "")
    chosen = next((cohort for cohort in cohorts if str(cohort.pk) == asked), None)
    only = str(chosen.pk) if chosen else NOBODYS if asked == NOBODYS else ""
    columns = _columns(cohorts, chosen, only)
    context = {
        "course": course,
        "cohorts": cohorts,
        "chosen": chosen,
        "only": only,
        "columns": columns,
        "lessons": lesson_rows(course, columns),
    }
    if request.user.may("view_contacts"):
        place = Place(request.GET, size=PAGE, anchor="#people")
        everybody = enrolled(course, only)
        page, people = person_rows(course, everybody, place)
        context |= {
            "page": page,
            "people": people,
            "count": everybody[: COUNTED + 1].count(),
            "counted": COUNTED,
        }
    return render(request, "enrollments/dashboard/schedule_detail.html", context)


def _columns(cohorts: list[Cohort], chosen: Cohort | None, only: str) -> list[Cohort | None]:
    """The cohorts whose dates are shown; None is nobody's."""
    if only:
        return [chosen]
    return [None, *[cohort for cohort in cohorts if cohort.state != "over"][:COLUMNS]]
