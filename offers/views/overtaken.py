"""Two people, one text: what whoever saves second is shown, so that nobody's work is lost."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms
from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _

from accounts.http import StaffRequest
from offers.forms.careful import VersionedForm


def overtaken(
    request: StaffRequest, *, mine: VersionedForm[Any], theirs: VersionedForm[Any]
) -> HttpResponse:
    """409: what somebody else saved beside what was typed, to go on with either.

    `mine` shows what was typed, and is made the present version's; `theirs` what is there now.
    """
    mine.initial["version"] = theirs.instance.version
    for field in mine.fields.values():
        for name in [name for name in field.widget.attrs if name.startswith("hx-")]:
            del field.widget.attrs[name]  # there is no preview here
    differences = list(theirs.differences(mine))
    differing = {difference.field.name for difference in differences}
    context = {
        "title": str(theirs.instance),
        "differences": differences,
        "same": [mine[name].as_hidden() for name in mine.fields if name not in differing],
        "is_multipart": mine.is_multipart(),
        "back_url": request.path,
    }
    return render(request, "offers/dashboard/overtaken.html", context, status=409)


def gone(request: StaffRequest, fields: Mapping[str, forms.Field]) -> HttpResponse:
    """410: what was typed for something that somebody else deleted meanwhile, to take it along.

    Where nothing was sent, there is nothing to keep: 404.
    """
    if request.method != "POST":
        raise Http404
    words = [
        (field.label or name, text)
        for name, field in fields.items()
        if (text := _words(field, request.POST.getlist(name)))
    ]
    context = {
        "words": words,
        "back_url": reverse("offers:course_list"),
        "title": _("Deleted meanwhile"),
    }
    return render(request, "offers/dashboard/gone.html", context, status=410)


def _words(field: forms.Field, sent: list[str]) -> str:
    """What was sent for a field, as a person said it; nothing where only the machine would understand."""
    if field.widget.is_hidden or isinstance(field, forms.ModelChoiceField):
        return ""
    if isinstance(field, forms.BooleanField):
        return _("Yes") if any(sent) else ""
    if isinstance(field, forms.ChoiceField):
        named = dict(field.choices)  # type: ignore[arg-type]
        return ", ".join(str(named[value]) for value in sent if value in named)
    return "\n".join(filter(None, sent))
