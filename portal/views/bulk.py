"""One action on many contacts: asked, started, watched, and taken back."""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from accounts.bulk import ACTIONS, Action, Undoable
from accounts.decorators import staff_required
from accounts.http import StaffRequest
from accounts.models import BulkRun
from accounts.models.bulk import Outcome, page_key
from accounts.selection import Selection
from portal.models import Job
from portal.paging import Place

PAGE = 50
# What says who is meant, and for what.
CARRIED = ("action", "all", "ids", "q", "where", "match", "among")


def _action(request: StaffRequest, key: str) -> Action:
    """The action of this name, if this member of staff may do it."""
    action = ACTIONS.get(key)
    if action is None:
        raise Http404
    if not request.user.may(action.permission):
        raise PermissionDenied
    return action


def _selection(asked: QueryDict) -> Selection:
    """Whom an action is about. Nobody unless rows, or all that are found, were chosen: fail closed."""
    selection = Selection.from_query(asked)
    if asked.get("all"):
        return replace(selection, ids=())
    if not selection.ids:
        return replace(selection, problems=(_("Choose at least one contact."),))
    return selection


@staff_required("view_contacts")
def bulk_create(request: StaffRequest) -> HttpResponse:
    """Ask on what terms; say what it will do, in numbers; then start it.

    The contacts are `ids`, or with `all` everybody the filters in the address find.
    """
    asked = request.POST if request.method == "POST" else request.GET
    action, selection = _action(request, asked.get("action", "")), _selection(asked)
    if selection.problems:
        messages.error(request, " ".join(selection.problems))
        return redirect("portal:contact_list")
    contacts = selection.contacts()
    is_answered = "terms" in asked or not action.form.base_fields
    form = action.form(asked if is_answered else None)
    context = {
        "action": action,
        "form": form,
        "carried": [(name, value) for name in CARRIED for value in asked.getlist(name)],
        "once": asked.get("once") or uuid.uuid4().hex,  # a double click starts one run
        "count": contacts.order_by().count(),
        "back": f"{reverse('portal:contact_list')}?{selection.as_query()}",
    }
    if not form.is_valid():
        return render(request, "portal/dashboard/bulk_form.html", context)
    terms = action.terms(form.cleaned_data)
    effects = action.effects(contacts, terms)
    if request.method == "POST" and (asked.get("sure") or not effects):
        run = BulkRun.objects.start(
            action=action.key, terms=terms, contacts=contacts, key=_key(asked, terms)
        )
        return redirect("portal:bulk_detail", run.pk)
    context["answers"] = [(name, value) for name in form.fields for value in asked.getlist(name)]
    context |= {"effects": effects, "sentence": action.sentence(terms)}
    return render(request, "portal/dashboard/bulk_confirm.html", context)


def _key(asked: QueryDict, terms: dict[str, Any]) -> str | None:
    """The same for a page that is sent twice; another one if somebody went back and asked for something else."""
    who = [(name, asked.getlist(name)) for name in CARRIED]
    return page_key(asked.get("once", ""), terms, who)


@staff_required("view_contacts")
def bulk_list(request: StaffRequest) -> HttpResponse:
    """What was done to many at once, the latest first."""
    page = Place(request.GET, size=PAGE).page(BulkRun.objects.select_related("started_by__contact"))
    context = {"page": page, "runs": [(run, _sentence(run)) for run in page.rows]}
    return render(request, "portal/dashboard/bulk_list.html", context)


def _sentence(run: BulkRun) -> str:
    return ACTIONS[run.action].sentence(run.terms)


@staff_required("view_contacts")
def bulk_detail(request: StaffRequest, pk: int) -> HttpResponse:
    """How far it is, and what became of whom. For htmx only the part that moves."""
    run = get_object_or_404(BulkRun.objects.select_related("started_by__contact"), pk=pk)
    action, outcome = ACTIONS[run.action], request.GET.get("outcome", "")
    rows = run.rows.select_related("contact").exclude(outcome="")
    if outcome in Outcome:
        rows = rows.filter(outcome=outcome)
    counts = run.counts()
    job = Job.objects.filter(key__in=[f"bulk_run:{pk}", f"bulk_undo:{pk}"]).order_by("-pk").first()
    is_moving = not run.is_over or (run.undo_started_at is not None and run.undone_at is None)
    context = {
        "run": run,
        "sentence": action.sentence(run.terms),
        "counts": [(value, label, counts.get(value, 0)) for value, label in Outcome.choices],
        "outcome": outcome,
        "page": Place(request.GET, size=PAGE, order="pk").page(rows),
        "is_moving": is_moving,
        "is_stuck": is_moving and job is not None and job.state == "dead",
        "total": counts.get(Outcome.CHANGED, 0) if run.undo_started_at else run.total,
        "left": run.done - run.undone,
        "may_undo": _may_undo(request, run, action) and counts.get(Outcome.CHANGED, 0) > 0,
    }
    fragment = "#progress" if request.htmx and is_moving else ""
    answer = render(request, f"portal/dashboard/bulk_detail.html{fragment}", context)
    if request.htmx and not is_moving:
        answer["HX-Refresh"] = "true"
    return answer


def _may_undo(request: StaffRequest, run: BulkRun, action: Action) -> bool:
    is_open = run.is_over and run.undo_started_at is None
    return is_open and isinstance(action, Undoable) and request.user.may(action.permission)


@require_POST
@staff_required("view_contacts")
def bulk_undo(request: StaffRequest, pk: int) -> HttpResponse:
    """Take back what it changed."""
    run = get_object_or_404(BulkRun, pk=pk)
    action = _action(request, run.action)
    if not isinstance(action, Undoable):
        messages.error(request, _("This cannot be undone."))
    elif not run.is_over:
        messages.error(request, _("It is not finished yet: undo it then."))
    else:
        run.undo()
    return redirect("portal:bulk_detail", pk)
