"""Staff pages about the cohorts of a course: their days, and the dates of their own."""

from __future__ import annotations

from django.contrib import messages
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from accounts.decorators import staff_required
from accounts.http import StaffRequest, posted
from offers.forms.cohort import CohortDatesForm, CohortForm, fields_of, tell_saved
from offers.models import Cohort, Course
from offers.models.cohort import COUNTED
from offers.views.overtaken import gone
from portal.events import Name, delete_and_record


@staff_required("manage_content")
def cohort_list(request: StaffRequest, course_pk: int) -> HttpResponse:
    """The cohorts of a course, in the order of their days."""
    course = get_object_or_404(Course, pk=course_pk)
    cohorts = course.cohorts.with_counts()
    context = {"course": course, "cohorts": cohorts, "counted": COUNTED}
    return render(request, "offers/dashboard/cohort_list.html", context)


@staff_required("manage_content")
def cohort_create(request: StaffRequest, course_pk: int) -> HttpResponse:
    """A new cohort; its dates come next."""
    course = get_object_or_404(Course, pk=course_pk)
    form = CohortForm(posted(request), course=course)
    if form.is_valid():
        cohort = form.save()
        messages.success(
            request,
            _("“%(cohort)s” is there. Give lessons dates of its own, if they differ.")
            % {"cohort": cohort},
        )
        return redirect("offers:cohort_update", cohort.pk)
    context = {"course": course, "form": form}
    return render(request, "offers/dashboard/cohort_form.html", context)


@staff_required("manage_content")
@transaction.atomic
def cohort_update(request: StaffRequest, pk: int) -> HttpResponse:
    """Its title, its days, and the dates of its lessons in one form.

    409 if they changed meanwhile, 410 with what was typed if somebody deleted the cohort.
    """
    data, rows = posted(request), Cohort.objects.select_related("course")
    if data is not None:  # two saves wait for each other here, so that the second sees the first
        rows = rows.select_for_update(of=("self",))
    cohort = rows.filter(pk=pk).first()
    if cohort is None:
        return gone(request, fields_of(request.POST))
    dates = CohortDatesForm(data, cohort=cohort)
    form = CohortForm(data, instance=cohort, course=cohort.course)
    if form.is_valid() & dates.is_valid():
        form.save()
        dates.save()
        messages.success(request, _("Saved."))
        return redirect("offers:cohort_update", pk)
    if dates.is_out_of_date:
        tell_saved(form)
    context = {
        "course": cohort.course,
        "cohort": Cohort.objects.with_counts().get(pk=pk),
        "counted": COUNTED,
        "form": form,
        "dates": dates,
        "modules": list(dates.modules()),
    }
    status = 409 if dates.is_out_of_date else 200
    return render(request, "offers/dashboard/cohort_form.html", context, status=status)


@require_POST
@staff_required("manage_content")
@transaction.atomic
def cohort_delete(request: StaffRequest, pk: int) -> HttpResponse:
    """Remove a cohort; who is in it stays in the course without one. The page asked before."""
    cohort = get_object_or_404(Cohort, pk=pk)
    delete_and_record(cohort, Name.COHORT_DELETED, **cohort.facts())
    messages.success(request, _("“%(cohort)s” is deleted.") % {"cohort": cohort})
    return redirect("offers:cohort_list", cohort.course_id)
