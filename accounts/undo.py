"""Undo: a message that says what was done, with the button that takes it back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from django.contrib import messages
from django.http import HttpRequest
from django.template.loader import render_to_string


def done(
    request: HttpRequest, text: str, *, action: str, fields: Mapping[str, Sequence[str]]
) -> None:
    """Tell `text`, and offer to POST `fields` (name -> values) to the address `action`.

    For what nobody else was told: tags, dates. What was told is asked about before it is done.
    """
    words = [(name, value) for name, values in fields.items() for value in values]
    context = {"text": text, "action": action, "words": words}
    messages.success(request, render_to_string("components/undo.html", context, request=request))
