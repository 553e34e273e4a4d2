"""Two people, one text: what whoever saves second is shown, so that nobody's work is lost."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _

from accounts.http import StaffRequest
from offers.forms.careful import VersionedForm

# What a browser sends besides the words of a person.
MACHINERY = {"csrfmiddlewaretoken", "version", "kind"}


def overtaken(
    request: StaffRequest,
    *,
    mine: VersionedForm[Any],
    theirs: VersionedForm[Any],
    title: str,
    back_url: str,
) -> HttpResponse:
    """409: what somebody else saved beside what was typed, to go on with either.

    `mine` shows what was typed, with the present version; `theirs` what is there now.
    """
    for field in mine.fields.values():
        for name in [name for name in field.widget.attrs if name.startswith("hx-")]:
            del field.widget.attrs[name]  # there is no preview here
    differences = list(theirs.differences(mine))
    differing = {difference.field.name for difference in differences}
    context = {
        "title": title,
        "differences": differences,
        "same": [mine[name].as_hidden() for name in mine.fields if name not in differing],
        "is_multipart": mine.is_multipart(),
        "back_url": back_url,
    }
    return render(request, "offers/dashboard/overtaken.html", context, status=409)


def gone(request: StaffRequest, *, form: type[VersionedForm[Any]], back_url: str) -> HttpResponse:
    """410: what was typed for something that somebody else deleted meanwhile, to take it along."""
    labels = {name: field.label for name, field in form.base_fields.items()}
    words = [
        (labels.get(name) or name, "\n".join(values))
        for name, values in request.POST.lists()
        if name in labels and name not in MACHINERY and any(values)
    ]
    context = {"words": words, "back_url": back_url, "title": _("Deleted meanwhile")}
    return render(request, "offers/dashboard/gone.html", context, status=410)
