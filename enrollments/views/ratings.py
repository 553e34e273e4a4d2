"""Ratings: a student's own on the page of the course, everybody's for the staff."""

from __future__ import annotations

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _

from accounts.decorators import staff_required, student_required
from accounts.http import StaffRequest, StudentRequest, posted
from enrollments.decorators import open_course_required
from enrollments.forms.comment import RatingForm
from enrollments.models import Rating
from enrollments.outline import Study
from offers.models import Course
from portal.addresses import is_pk
from portal.paging import Place

PAGE = 20


@student_required
@open_course_required
def rating_update(request: StudentRequest, study: Study) -> HttpResponse:
    """What the student thinks of a course they have begun: nobody else's, and to be changed at any time."""
    if study.course.started_at is None:
        raise Http404
    rating = Rating.objects.filter(enrollment=study.course.enrollment_id).first()
    form = RatingForm(posted(request), rating=rating)
    is_saved = form.is_valid()
    if is_saved:
        form.save(enrollment=study.enrollment)
        if not request.htmx:
            messages.success(request, _("Thank you. Your rating is saved."))
            return redirect(study.url)
    context = {
        "course": study.course,
        "form": form,
        "is_rated": rating is not None or is_saved,
        "is_saved": is_saved,
        "trail": study.trail(),
    }
    fragment = "#rating" if request.htmx else ""
    return render(request, f"enrollments/student/rating_update.html{fragment}", context)


@staff_required("manage_content")
def rating_list(request: StaffRequest, pk: int) -> HttpResponse:
    """How a course is rated, and what was written with it, the latest first.

    What htmx asks for stands beside the course: the numbers, and the first of the words.
    """
    course = get_object_or_404(Course, pk=pk)
    ratings = Rating.objects.of_course(course)
    said = ratings.exclude(text="").select_related("enrollment__contact")
    place = Place(request.GET, size=3 if request.htmx else PAGE)
    context = {"course": course, "distribution": ratings.distribution(), "page": place.page(said)}
    fragment = "#recent" if request.htmx else ""
    return render(request, f"enrollments/dashboard/rating_list.html{fragment}", context)


@staff_required("manage_content")
def rating_averages(request: StaffRequest) -> HttpResponse:
    """The rating of every course, or of those with these keys: for htmx, to be put into the rows of a list."""
    courses = Course.objects.order_by("title", "pk").only("title")
    if pks := [int(pk) for pk in request.GET.getlist("pk") if is_pk(pk)]:
        courses = courses.filter(pk__in=pks)
    averages = Rating.objects.averages([course.pk for course in courses])
    context = {"rows": [(course, averages.get(course.pk)) for course in courses]}
    fragment = "#cells" if request.htmx else ""
    return render(request, f"enrollments/dashboard/rating_averages.html{fragment}", context)
