"""Staff pages about offers and courses: create, edit, publish, archive."""

from __future__ import annotations

from urllib.parse import urlencode

from django.contrib import messages
from django.db.models import Count, ProtectedError
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from accounts.decorators import staff_required
from accounts.http import StaffRequest, is_pk, posted
from offers.forms import CourseForm, LessonForm, ModuleForm, OfferForm
from offers.markdown import render as render_markdown
from offers.models import Course, Lesson, Module, Offer
from offers.models.offer import COUNTED
from offers.video import player_url


@staff_required("manage_content")
def offer_list(request: StaffRequest) -> HttpResponse:
    """Every offer with the numbers of its courses and holders."""
    offers = Offer.objects.with_counts()
    context = {"offers": offers, "counted": COUNTED}
    return render(request, "offers/dashboard/offer_list.html", context)


@staff_required("manage_content")
def offer_create(request: StaffRequest) -> HttpResponse:
    """A new offer, a draft at first. `?course=` makes it for a course that has none."""
    wanted = request.GET.get("course", "")
    course = Course.objects.filter(pk=int(wanted)).first() if is_pk(wanted) else None
    initial = {"title": course.title, "courses": [course.pk]} if course else {}
    form = OfferForm(posted(request), initial=initial)
    if form.is_valid():
        offer = form.save()
        messages.success(
            request,
            _("“%(offer)s” is a draft. Publish it to let it open its courses.") % {"offer": offer},
        )
        return redirect("offers:offer_update", offer.pk)
    return render(request, "offers/dashboard/offer_form.html", {"form": form})


@staff_required("manage_content")
def offer_update(request: StaffRequest, pk: int) -> HttpResponse:
    """One offer: its terms, its courses, its state. A new default length asks what of its present holders."""
    offer = get_object_or_404(Offer, pk=pk)
    form = OfferForm(posted(request), instance=offer)
    if form.is_valid():
        form.save()
        messages.success(request, _("Saved."))
        if "default_days" in form.changed_data and request.user.may("manage_access"):
            was = form.initial["default_days"] or 0
            page = reverse("enrollments:holder_follow", args=[pk])
            return redirect(f"{page}?{urlencode({'was': was})}")
        return redirect("offers:offer_update", pk)
    saved = Offer.objects.with_counts().get(pk=pk)
    context = {"form": form, "offer": saved, "counted": COUNTED}
    return render(request, "offers/dashboard/offer_form.html", context)


@require_POST
@staff_required("manage_content")
def offer_publish(request: StaffRequest, pk: int) -> HttpResponse:
    """Make it active."""
    offer = get_object_or_404(Offer, pk=pk)
    offer.publish()
    messages.success(request, _("“%(offer)s” is active.") % {"offer": offer})
    return redirect("offers:offer_update", pk)


@require_POST
@staff_required("manage_content")
def offer_archive(request: StaffRequest, pk: int) -> HttpResponse:
    """Offer it to nobody new."""
    offer = get_object_or_404(Offer, pk=pk)
    offer.archive()
    messages.success(
        request, _("“%(offer)s” is archived. Who holds it keeps it.") % {"offer": offer}
    )
    return redirect("offers:offer_update", pk)


@staff_required("manage_content")
def course_list(request: StaffRequest) -> HttpResponse:
    """Every course with its size, and a flag where no offer holds it."""
    courses = Course.objects.annotate(
        lesson_count=Count("modules__lessons", distinct=True),
        offer_count=Count("offers", distinct=True),
    )
    lonely = set(Course.objects.without_offer().values_list("pk", flat=True))
    return render(
        request, "offers/dashboard/course_list.html", {"courses": courses, "lonely": lonely}
    )


@staff_required("manage_content")
def course_create(request: StaffRequest) -> HttpResponse:
    """A new course, a draft at first."""
    form = CourseForm(posted(request))
    if form.is_valid():
        course = form.save()
        messages.success(
            request,
            _("“%(course)s” is a draft. Add modules and lessons, then publish it.")
            % {"course": course},
        )
        return redirect("offers:course_detail", course.pk)
    return render(request, "offers/dashboard/course_form.html", {"form": form})


@staff_required("manage_content")
def course_detail(request: StaffRequest, pk: int) -> HttpResponse:
    """One course: its outline, its offers, its state."""
    course = get_object_or_404(Course, pk=pk)
    context = {
        "course": course,
        "modules": course.modules.prefetch_related("lessons"),
        "offers": course.offers.all(),
        "module_form": ModuleForm(course=course),
        "enrolled_count": course.enrollments.count(),
    }
    return render(request, "offers/dashboard/course_detail.html", context)


@staff_required("manage_content")
def course_update(request: StaffRequest, pk: int) -> HttpResponse:
    """Title, address, description."""
    course = get_object_or_404(Course, pk=pk)
    form = CourseForm(posted(request), instance=course)
    if form.is_valid():
        form.save()
        messages.success(request, _("Saved."))
        return redirect("offers:course_detail", pk)
    context = {"form": form, "course": Course.objects.get(pk=pk)}
    return render(request, "offers/dashboard/course_form.html", context)


@require_POST
@staff_required("manage_content")
def course_publish(request: StaffRequest, pk: int) -> HttpResponse:
    """Let holders of its offers see it."""
    course = get_object_or_404(Course, pk=pk)
    course.publish()
    messages.success(request, _("“%(course)s” is published.") % {"course": course})
    return redirect("offers:course_detail", pk)


@require_POST
@staff_required("manage_content")
def course_archive(request: StaffRequest, pk: int) -> HttpResponse:
    """Take it away from everybody, with nothing lost."""
    course = get_object_or_404(Course, pk=pk)
    course.archive()
    messages.success(
        request,
        _("“%(course)s” is archived. Nobody sees it until you publish it again.")
        % {"course": course},
    )
    return redirect("offers:course_detail", pk)


@require_POST
@staff_required("manage_content")
def module_create(request: StaffRequest, course_pk: int) -> HttpResponse:
    """A new module at the end, from the form on the course's page."""
    course = get_object_or_404(Course, pk=course_pk)
    form = ModuleForm(request.POST, course=course)
    if form.is_valid():
        form.save()
        return redirect("offers:course_detail", course_pk)
    return render(request, "offers/dashboard/module_form.html", {"form": form, "course": course})


@staff_required("manage_content")
def module_update(request: StaffRequest, pk: int) -> HttpResponse:
    """Title and place."""
    module = get_object_or_404(Module.objects.select_related("course"), pk=pk)
    form = ModuleForm(posted(request), instance=module, course=module.course)
    if form.is_valid():
        form.save()
        return redirect("offers:course_detail", module.course_id)
    context = {"form": form, "module": module, "course": module.course}
    return render(request, "offers/dashboard/module_form.html", context)


@require_POST
@staff_required("manage_content")
def module_delete(request: StaffRequest, pk: int) -> HttpResponse:
    """Remove a module that is empty. Lessons, and what students did in them, are not swept away with it."""
    module = get_object_or_404(Module, pk=pk)
    try:
        module.delete()
    except ProtectedError:
        messages.error(request, _("Move or delete the lessons of this module first."))
    else:
        messages.success(request, _("The module is deleted."))
    return redirect("offers:course_detail", module.course_id)


@staff_required("manage_content")
def lesson_create(request: StaffRequest, module_pk: int) -> HttpResponse:
    """A new lesson at the end of a module."""
    module = get_object_or_404(Module.objects.select_related("course"), pk=module_pk)
    form = LessonForm(posted(request), module=module)
    if form.is_valid():
        form.save()
        messages.success(request, _("Saved."))
        return redirect("offers:course_detail", module.course_id)
    context = {"form": form, "course": module.course}
    return render(request, "offers/dashboard/lesson_form.html", context)


@staff_required("manage_content")
def lesson_update(request: StaffRequest, pk: int) -> HttpResponse:
    """The lesson editor, with the lesson below as students see it."""
    lesson = get_object_or_404(Lesson.objects.select_related("module__course"), pk=pk)
    form = LessonForm(posted(request), instance=lesson, module=lesson.module)
    if form.is_valid():
        form.save()
        messages.success(request, _("Saved."))
        return redirect("offers:lesson_update", pk)
    saved = Lesson.objects.get(pk=pk)
    context = {
        "form": form,
        "lesson": saved,
        "course": lesson.module.course,
        "body": render_markdown(saved.body),
        "player_url": player_url(saved.video_url),
        "done_count": saved.progress.count(),
    }
    return render(request, "offers/dashboard/lesson_form.html", context)


@require_POST
@staff_required("manage_content")
def lesson_delete(request: StaffRequest, pk: int) -> HttpResponse:
    """Remove a lesson, and the marks of those who completed it; the page asked before."""
    lesson = get_object_or_404(Lesson.objects.select_related("module"), pk=pk)
    lesson.delete()
    messages.success(request, _("The lesson is deleted."))
    return redirect("offers:course_detail", lesson.module.course_id)
