"""The terms of grants: where one comes from, on what conditions it is given, and what giving did."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date, datetime
from enum import StrEnum
from typing import Literal, NotRequired, Required, TypedDict

from django.utils.translation import gettext_lazy as _

from offers.models import Cohort

type Ends = Mapping[int, date | None]  # pk of a contact or a grant -> last day, None for no end

SOURCES = {"manual": _("by hand"), "import": _("import")}


def source_label(source: str) -> str:
    """Say `import:5` as people do: import 5."""
    kind, _colon, number = source.partition(":")
    return f"{SOURCES.get(kind, kind)} {number}".strip()


class Outcome(StrEnum):
    """What granting did for one contact."""

    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"


class Terms(TypedDict):
    """On what terms an offer is granted.

    source: where the grant comes from: "manual", "import:<batch>", "purchase:<order>" …
    ends: contact's pk -> last day, or None for no end. Contacts that are missing in it get the
        offer's default if the grant is new, and keep what they have if they hold the offer.
    if_held: what happens to those who hold the offer already, from any source: "leave" it,
        "extend" to the later date, or "set" the date. Only where `ends` names one.
    starts_at: None is now.
    notify: whether the access mail may follow.
    note: why, for whoever asks later.
    cohorts: into which those come whom this gives or changes something, for the courses of the offer.
    """

    source: Required[str]
    ends: NotRequired[Ends]
    if_held: NotRequired[Literal["leave", "extend", "set"]]
    starts_at: NotRequired[datetime | None]
    notify: NotRequired[bool]
    note: NotRequired[str]
    cohorts: NotRequired[Collection[Cohort]]
