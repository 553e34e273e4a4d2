"""The newest rows of several parents together, found through an index however rare they are."""

from __future__ import annotations

from heapq import nlargest
from itertools import chain
from typing import Any

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import OuterRef, QuerySet


def latest(rows: QuerySet[Any], *, by: str, of: QuerySet[Any], limit: int) -> list[int]:
    """The keys of the newest `limit` of `rows` whose field `by` is one of `of`, newest first. One statement.

    Each parent's are looked for in its own part of an index on (`by`, id): PostgreSQL by itself
    would go through all rows from the newest on, hoping to meet enough of them.
    """
    mine = rows.filter(**{by: OuterRef("pk")}).order_by("-pk").values("pk")[:limit]
    return nlargest(limit, chain.from_iterable(of.values_list(ArraySubquery(mine), flat=True)))
