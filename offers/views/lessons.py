"""Staff pages about lessons: the editor of every kind, with its preview and its files."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from accounts.decorators import staff_required
from accounts.http import StaffRequest, posted
from offers import ordering
from offers.builder import kinds, losses
from offers.embeds import frame_url
from offers.forms.careful import Overtaken
from offers.forms.lesson import LessonForm
from offers.markdown import render as render_markdown
from offers.markdown import snippet
from offers.models import Lesson, LessonKind, Module
from offers.video import player_url
from offers.views.overtaken import gone, overtaken
from portal.addresses import is_pk
from portal.events import Name, delete_and_record
from portal.models import FileKind

PREVIEWED = 200_000  # letters; a longer text is not previewed

# Buttons of the editor that show it again with everything that was typed, and save no text.
LOOKS = {"preview", "change_kind", "upload", "detach"}


@staff_required("manage_content")
def lesson_create(request: StaffRequest, module_pk: int) -> HttpResponse:
    """A new lesson at the end of a module: first its kind, then what that kind asks for."""
    module = Module.objects.select_related("course").filter(pk=module_pk).first()
    if module is None:
        return gone(request, LessonForm.base_fields)
    asked = request.POST.get("change_kind", "") or request.GET.get("kind", "")
    if request.method == "GET" and asked not in LessonKind:
        context = {"module": module, "course": module.course, "kinds": kinds()}
        return render(request, "offers/dashboard/lesson_kind.html", context)
    form = LessonForm(
        posted(request), request.FILES or None, module=module, asked="" if request.POST else asked
    )
    if LOOKS & {*request.POST}:
        form = LessonForm(module=module, asked=asked or form.kind, initial=form.typed())
    elif form.is_valid():
        lesson = form.save()
        messages.success(request, _("“%(lesson)s” is saved.") % {"lesson": lesson})
        if lesson.kind == LessonKind.QUIZ:
            return redirect("offers:quiz_update", lesson.pk)
        return redirect(_row(lesson))
    elif request.method == "POST":
        form.keep()
    return _editor(request, form, course=module.course, module=module)


@staff_required("manage_content")
def lesson_update(request: StaffRequest, pk: int) -> HttpResponse:
    """The editor. 409 with both texts if somebody else saved it meanwhile, 410 with one if they deleted it."""
    lesson = Lesson.objects.select_related("module__course").filter(pk=pk).first()
    if lesson is None:
        return gone(request, LessonForm.base_fields)
    form = LessonForm(posted(request), request.FILES or None, instance=lesson, module=lesson.module)
    if LOOKS & {*request.POST}:
        return _look(request, form)
    if form.is_valid():
        try:
            form.save()
        except Overtaken:
            return _overtaken(request, form)
        messages.success(request, _("Saved."))
        return redirect("offers:lesson_update", pk)
    if request.method == "POST":
        form.attach_files()
        form.keep()
    return _editor(request, form, course=lesson.module.course, lesson=_fresh(pk))


def _look(request: StaffRequest, form: LessonForm) -> HttpResponse:
    """The editor again: with a preview, with more or fewer files, as another kind. The text is not saved."""
    pk = form.instance.pk
    if "upload" in request.POST:
        form.attach_files()
    if is_pk(detached := request.POST.get("detach", "")):
        _fresh(pk).detach(int(detached))
    asked = request.POST.get("change_kind", "") or form.kind
    lesson = _fresh(pk)
    again = LessonForm(instance=_fresh(pk), module=lesson.module, asked=asked, initial=form.typed())
    context = {"lesson": lesson, "course": lesson.module.course}
    return _editor(request, again, **context, refused=form.errors.get("attach", []))


def _editor(request: StaffRequest, form: LessonForm, **context: Any) -> HttpResponse:
    """The editor with its preview; of a saved lesson with its files and whoever was here."""
    lesson = context.get("lesson")
    body = form["body"].value() or ""
    context |= {
        "form": form,
        "kind": form.kind,
        "icon": LessonKind(form.kind).icon,
        "kinds": kinds(),
        "body": render_markdown(body) if len(body) <= PREVIEWED else "",
        "player_url": player_url(_typed(form, "video_url")),
        "frame_url": frame_url(_typed(form, "embed_url")),
    }
    if lesson is not None:
        context |= {
            "attached": [
                (row, snippet(row.file) if row.file.kind == FileKind.IMAGE else "")
                for row in lesson.attached.select_related("file")
            ],
            "lost": losses(lesson),
            "is_other_kind": form.kind != lesson.kind,
        }
    # Of its own accord htmx asks for nothing here but the files.
    fragment = "#files" if request.htmx else ""
    return render(request, f"offers/dashboard/lesson_form.html{fragment}", context)


def _typed(form: LessonForm, name: str) -> str:
    return str(form[name].value() or "") if name in form.fields else ""


def _fresh(pk: int) -> Lesson:
    """The lesson as it is now: a form writes on the one it was given, be it valid or not."""
    return Lesson.objects.select_related("module__course", "file", "captions").get(pk=pk)


def _overtaken(request: StaffRequest, form: LessonForm) -> HttpResponse:
    """Both texts, for whoever saves second; what they added to the files is there already."""
    pk = form.instance.pk
    if not Lesson.objects.filter(pk=pk).exists():
        return gone(request, LessonForm.base_fields)
    form.attach_files()
    there, fresh = _fresh(pk), _fresh(pk)
    mine = LessonForm(instance=fresh, module=fresh.module, asked=form.kind, initial=form.typed())
    theirs = LessonForm(instance=there, module=there.module, asked=form.kind)
    theirs.initial["kind"] = there.kind
    return overtaken(request, mine=mine, theirs=theirs)


def _row(lesson: Lesson) -> str:
    """Where the lesson stands on its course's page."""
    page = reverse("offers:course_detail", args=[lesson.module.course_id])
    return f"{page}#lesson-{lesson.pk}"


@require_POST
@staff_required("manage_content")
def lesson_preview(request: StaffRequest) -> HttpResponse:
    """The text as students would see it."""
    body = request.POST.get("body", "")
    context = {"body": render_markdown(body) if len(body) <= PREVIEWED else ""}
    return render(request, "offers/dashboard/lesson_form.html#preview", context)


@require_POST
@staff_required("manage_content")
def lesson_publish(request: StaffRequest, pk: int) -> HttpResponse:
    """Let students see it, or with `undo` make it a draft. Whoever edits it meanwhile is told."""
    lesson = get_object_or_404(Lesson.objects.select_related("module"), pk=pk)
    lesson.publish(on="undo" not in request.POST)
    return redirect(_row(lesson))


@require_POST
@staff_required("manage_content")
@transaction.atomic
def lesson_delete(request: StaffRequest, pk: int) -> HttpResponse:
    """Remove a lesson, and the marks of those who completed it; the page asked before."""
    lesson = get_object_or_404(Lesson.objects.select_related("module__course"), pk=pk)
    ordering.lock(lesson.module.course)
    delete_and_record(lesson, Name.LESSON_DELETED, **lesson.facts())
    ordering.settle(lesson.module.course)
    messages.success(request, _("The lesson is deleted."))
    return redirect("offers:course_detail", lesson.module.course_id)
