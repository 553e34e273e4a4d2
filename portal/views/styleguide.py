"""The style guide: every component, with contents that are made up. For developers, with DEBUG alone."""

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

from django import forms
from django.contrib.staticfiles import finders
from django.http import HttpResponse
from django.shortcuts import render
from django.utils.timezone import localdate, now

from accounts.decorators import staff_required
from accounts.http import StaffRequest
from portal.ui.states import STATES

# Name, access, portal status, lessons done, days until the end, days since the last visit.
PEOPLE = [
    ("Greta Neri", "active", "joined", 3, None, 0),
    ("Bob Alves", "expired", "invited", 0, 40, None),
    ("Charlie Okafor", "pending", "none", 0, 80, None),
    ("Dana Meyer", "active", "joined", 12, 120, 14),
    ("Eva Lindqvist", "inactive", "blocked", 9, 160, 90),
]


class SampleForm(forms.Form):
    """One field of each kind."""

    name = forms.CharField()
    email = forms.EmailField(help_text="Her username, and where mails go.")
    language = forms.ChoiceField(choices=[("en", "English"), ("it", "Italiano")])
    ends_on = forms.DateField(
        required=False,
        help_text="Last day. Empty: no end.",
        widget=forms.DateInput({"type": "date"}),
    )
    offers = forms.MultipleChoiceField(
        choices=[("1", "Sourdough"), ("2", "Pizza weekend"), ("3", "Viennoiserie")],
        widget=forms.CheckboxSelectMultiple,
    )
    note = forms.CharField(required=False, widget=forms.Textarea)
    notify = forms.BooleanField(required=False, label="Tell her by mail", initial=True)


@staff_required()
def styleguide(request: StaffRequest) -> HttpResponse:
    """Every component on one page."""
    return render(request, "portal/dashboard/styleguide.html", {"sample": sample()})


def sample() -> dict[str, Any]:
    """The contents of every component on the page."""
    today, at = localdate(), now()
    days = [today - timedelta(days=29 - n) for n in range(30)]
    return {
        "breadcrumb": [("Dashboard", "/dashboard/"), ("Contacts", "#")],
        "confirm_url": "#",
        "consequences": [
            "Ends access to 2 courses for 1 person",
            "1 other grant keeps “Base” open",
        ],
        "entries": [
            _entry("key", "Offer granted: Sourdough", minutes=4, actor="Alice", tone="good"),
            _entry("mail", "Welcome to Sourdough", minutes=5, url="#", detail="Delivered"),
            _entry("alert", "Mail bounced", minutes=2900, tone="bad", detail="Mailbox full"),
            _entry("user", "First login", minutes=130_000, tone="accent"),
        ],
        "form": SampleForm({"name": "Greta", "email": "greta@", "offers": ["1"], "notify": "on"}),
        "grants": [(day, n * 7 % 23 + n // 3) for n, day in enumerate(days)],
        "icons": _icons(),
        "logins": [(day, n * 11 % 61) for n, day in enumerate(days)],
        "modules": [
            {
                "title": "The dough",
                "lessons": [
                    {"title": "Flour and water", "url": "#", "is_done": True, "note": "8 min"},
                    {"title": "Shaping", "url": "#", "is_current": True, "note": "12 min"},
                    {"title": "Scoring", "url": "#", "note": "6 min"},
                ],
            },
            {"title": "The oven", "lessons": [{"title": "Steam", "locked": "Opens in 3 days"}]},
        ],
        "recently": at - timedelta(hours=3),
        "rows": [
            {
                "id": n,
                "menu": f"more-{n}",
                "name": name,
                "email": f"{name.split()[0].lower()}@example.com",
                "access": access,
                "portal": portal,
                "done": done,
                "until": None if until is None else today + timedelta(days=until),
                "seen": None if seen is None else at - timedelta(days=seen, hours=1),
            }
            for n, (name, access, portal, done, until, seen) in enumerate(PEOPLE)
        ],
        "states": list(STATES),
        "tabs": [
            {"label": "All", "url": "#", "is_current": True, "count": "12,480"},
            {"label": "Never joined", "url": "#", "count": "318"},
            {"label": "Blocked", "url": "#", "count": None},
        ],
        "until": today + timedelta(days=40),
    }


def _entry(icon: str, text: str, *, minutes: int, **more: str) -> dict[str, Any]:
    return {"icon": icon, "text": text, "at": now() - timedelta(minutes=minutes), **more}


def _icons() -> list[str]:
    drawings = finders.find("img/icons.svg")
    return re.findall('symbol id="([^"]+)"', Path(drawings).read_text()) if drawings else []
