"""Staff pages about courses and their modules: the list, the builder, what a course is like."""

from __future__ import annotations

from contextlib import suppress

from django.contrib import messages
from django.db import transaction
from django.db.models import Count, OuterRef, ProtectedError, Subquery
from django.http import HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from accounts.decorators import staff_required
from accounts.http import StaffRequest, asked, posted
from offers import ordering
from offers.builder import Outline, kinds
from offers.duplicating import duplicate
from offers.forms.careful import Overtaken
from offers.forms.course import CourseForm, ModuleForm
from offers.models import Course, Lesson, Module
from offers.models.cohort import COUNTED
from offers.models.course import Status
from offers.views.overtaken import gone, overtaken
from portal.addresses import is_pk
from portal.events import Name, delete_and_record

SHOWN = 200  # courses on a page; more are found by searching


@staff_required("manage_content")
def course_list(request: StaffRequest) -> HttpResponse:
    """Every course with its size, and a flag where no offer holds it; by `q` and `status`."""
    words, status = asked(request), request.GET.get("status", "")
    courses = Course.objects.select_related("cover")
    if words:
        courses = courses.filter(title__icontains=words)
    if status in Status:
        courses = courses.filter(status=status)
    same = Course.objects.filter(pk=OuterRef("pk")).order_by()
    courses = courses.annotate(
        lesson_count=Subquery(same.annotate(number=Count("modules__lessons")).values("number")),
        offer_count=Subquery(same.annotate(number=Count("offers")).values("number")),
    )
    found = list(courses[: SHOWN + 1])
    context = {
        "courses": found[:SHOWN],
        "shown": SHOWN if len(found) > SHOWN else 0,
        "lonely": set(Course.objects.without_offer().values_list("pk", flat=True)),
        "words": words,
        "status": status,
        "statuses": Status.choices,
    }
    return render(request, "offers/dashboard/course_list.html", context)


@staff_required("manage_content")
@transaction.atomic
def course_create(request: StaffRequest) -> HttpResponse:
    """A new course, a draft at first."""
    form = CourseForm(posted(request), request.FILES or None)
    if form.is_valid():
        course = form.save()
        messages.success(
            request,
            _("“%(course)s” is a draft. Add modules and lessons, then publish it.")
            % {"course": course},
        )
        return redirect("offers:course_detail", course.pk)
    if request.method == "POST":
        form.keep()
    return render(request, "offers/dashboard/course_form.html", {"form": form})


@staff_required("manage_content")
def course_detail(request: StaffRequest, pk: int) -> HttpResponse:
    """The builder: modules and lessons in their order, what the rules lead to, the offers that hold it."""
    course = get_object_or_404(Course.objects.select_related("cover"), pk=pk)
    outline = Outline(course)
    offers = list(course.offers.all())
    context = {
        "course": course,
        "outline": outline,
        "chapters": list(outline.chapters()),
        "consequences": list(outline.consequences()),
        "kinds": kinds(),
        "offers": offers,
        "is_lonely": not any(offer.status != Status.ARCHIVED for offer in offers),
        "module_form": ModuleForm(course=course),
        "enrolled_count": course.enrollments.all()[: COUNTED + 1].count(),
        "counted": COUNTED,
    }
    return render(request, "offers/dashboard/course_detail.html", context)


@staff_required("manage_content")
@transaction.atomic
def course_update(request: StaffRequest, pk: int) -> HttpResponse:
    """What it is called, how it looks, how one goes through it. 409 if somebody else saved it meanwhile."""
    course = get_object_or_404(Course, pk=pk)
    form = CourseForm(posted(request), request.FILES or None, instance=course)
    if form.is_valid():
        try:
            form.save()
        except Overtaken:
            return _overtaken(request, form)
        messages.success(request, _("Saved."))
        return redirect("offers:course_detail", pk)
    if request.method == "POST":
        form.keep()
    saved = Course.objects.get(pk=pk)
    context = {"form": form, "course": saved, "consequences": Outline(saved).consequences()}
    return render(request, "offers/dashboard/course_form.html", context)


def _overtaken(request: StaffRequest, form: CourseForm) -> HttpResponse:
    """Both texts, for whoever saves second."""
    there = Course.objects.get(pk=form.instance.pk)
    mine = CourseForm(instance=there, initial=form.typed())
    return overtaken(request, mine=mine, theirs=CourseForm(instance=there))


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
def course_duplicate(request: StaffRequest, pk: int) -> HttpResponse:
    """The same course once more, as a draft."""
    made = duplicate(get_object_or_404(Course, pk=pk))
    messages.success(
        request,
        _("“%(course)s” is a draft with the same modules, lessons and rules. Nobody is in it.")
        % {"course": made},
    )
    return redirect("offers:course_detail", made.pk)


@require_POST
@staff_required("manage_content")
def course_reorder(request: StaffRequest, pk: int) -> HttpResponse:
    """Put everything in the order that is sent, or `move` one thing up or down.

    `order` names every module and lesson once: module-7 lesson-9 lesson-8 module-6 … It is answered
    with what the rules lead to now. An order that does not is 409 with a sentence, and changes nothing.
    """
    course = get_object_or_404(Course, pk=pk)
    if "move" in request.POST:
        return _move(request, course)
    try:
        ordering.reorder(course, _order(request.POST))
    except ordering.OutOfDate:
        sentence = _("Somebody else changed this course meanwhile. Load the page again to go on.")
        return HttpResponse(sentence, status=409, content_type="text/plain; charset=utf-8")
    context = {"consequences": list(Outline(course).consequences())}
    return render(request, "offers/dashboard/course_detail.html#consequences", context)


def _order(sent: QueryDict) -> ordering.Order:
    """What the page sends. Raises OutOfDate for what it never would."""
    order: ordering.Order = []
    for word in sent.getlist("order"):
        noun, _dash, key = word.partition("-")
        if not is_pk(key):
            raise ordering.OutOfDate
        if noun == "module":
            order.append((int(key), []))
        elif noun == "lesson" and order:
            order[-1][1].append(int(key))
        else:
            raise ordering.OutOfDate
    return order


def _move(request: StaffRequest, course: Course) -> HttpResponse:
    """One place up or down, by a button: "lesson-9 up"."""
    what, _space, direction = request.POST["move"].partition(" ")
    noun, _dash, key = what.partition("-")
    found: Module | Lesson | None = None
    if is_pk(key) and noun == "module":
        found = course.modules.filter(pk=key).first()
    elif is_pk(key) and noun == "lesson":
        found = Lesson.objects.filter(module__course=course, pk=key).first()
    page = reverse("offers:course_detail", args=[course.pk])
    if found is not None:
        with suppress(ordering.OutOfDate):  # deleted before the lock
            ordering.move(course, found, by=-1 if direction == "up" else 1)
            return redirect(f"{page}#{what}")
    messages.error(request, _("It is not in this course any more."))
    return redirect(page)


@require_POST
@staff_required("manage_content")
def module_create(request: StaffRequest, course_pk: int) -> HttpResponse:
    """A new module at the end, from the form on the course's page."""
    course = get_object_or_404(Course, pk=course_pk)
    form = ModuleForm(request.POST, course=course)
    if form.is_valid():
        module = form.save()
        page = reverse("offers:course_detail", args=[course_pk])
        return redirect(f"{page}#module-{module.pk}")
    return render(request, "offers/dashboard/module_form.html", {"form": form, "course": course})


@staff_required("manage_content")
def module_update(request: StaffRequest, pk: int) -> HttpResponse:
    """What it is called and when it opens. 409 if somebody else saved it meanwhile, 410 if they deleted it."""
    module = Module.objects.select_related("course").filter(pk=pk).first()
    if module is None:
        return gone(request, ModuleForm.base_fields)
    form = ModuleForm(posted(request), instance=module, course=module.course)
    if form.is_valid():
        try:
            form.save()
        except Overtaken:
            return _module_overtaken(request, form)
        messages.success(request, _("Saved."))
        return redirect("offers:course_detail", module.course_id)
    context = {"form": form, "module": Module.objects.get(pk=pk), "course": module.course}
    return render(request, "offers/dashboard/module_form.html", context)


def _module_overtaken(request: StaffRequest, form: ModuleForm) -> HttpResponse:
    there = Module.objects.select_related("course").filter(pk=form.instance.pk).first()
    if there is None:
        return gone(request, ModuleForm.base_fields)
    mine = ModuleForm(instance=there, course=there.course, initial=form.typed())
    theirs = ModuleForm(instance=there, course=there.course)
    return overtaken(request, mine=mine, theirs=theirs)


@require_POST
@staff_required("manage_content")
@transaction.atomic
def module_delete(request: StaffRequest, pk: int) -> HttpResponse:
    """Remove a module that is empty. Lessons, and what students did in them, are not swept away with it."""
    module = get_object_or_404(Module.objects.select_related("course"), pk=pk)
    ordering.lock(module.course)
    try:
        delete_and_record(module, Name.MODULE_DELETED, **module.facts())
    except ProtectedError:
        messages.error(request, _("Move or delete the lessons of this module first."))
    else:
        ordering.settle(module.course)
        messages.success(request, _("The module is deleted."))
    return redirect("offers:course_detail", module.course_id)
