"""A page of a long list, found by the key of the row at its edge: the last one costs what the first does."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from heapq import nlargest, nsmallest
from itertools import chain
from typing import Any

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import Model, OuterRef, QuerySet
from django.http import QueryDict

from portal.addresses import is_pk


@dataclass(frozen=True)
class Page[Row: Model]:
    """Some rows in the order of their list, and the addresses of the pages beside them: "" where there is none."""

    rows: list[Row]
    prev_url: str
    next_url: str


@dataclass(frozen=True)
class Place:
    """Where in a list an address is: at its beginning, or beside the row whose key it names.

    `?before=` asks for smaller keys, `?after=` for larger ones. Which of the two leads on, `order` says:
    a unique field, with a minus if the largest comes first. Everything else in the address stays.
    """

    query: QueryDict
    size: int
    order: str = "-pk"
    anchor: str = ""  # where on the page the list is, like "#rows"

    @property
    def _field(self) -> str:
        return self.order.removeprefix("-")

    @property
    def _ways(self) -> tuple[str, str]:
        """The words of an address that lead back and on."""
        return ("after", "before") if self.order.startswith("-") else ("before", "after")

    @cached_property
    def _way(self) -> str:
        """The one of them that is in this address; "" at the beginning."""
        return next((way for way in self._ways if is_pk(self.query.get(way, ""))), "")

    @property
    def _is_down(self) -> bool:
        """Whether the page is read from the larger keys to the smaller ones."""
        return (self._way or self._ways[1]) == "before"

    @property
    def kept(self) -> QueryDict:
        """What the address asks for besides a place: filters, mostly."""
        query = self.query.copy()
        for way in self._ways:
            query.pop(way, None)
        return query

    def cut[Row: Model](self, rows: QuerySet[Row]) -> QuerySet[Row]:
        """The page, and one row more if there is, from the edge on: going back that is in reverse."""
        if self._way:
            beyond = "lt" if self._is_down else "gt"
            rows = rows.filter(**{f"{self._field}__{beyond}": int(self.query.get(self._way, ""))})
        return rows.order_by(f"{'-' if self._is_down else ''}{self._field}")[: self.size + 1]

    def keys(self, rows: QuerySet[Any], *, by: str, of: QuerySet[Any]) -> list[int]:
        """The primary keys of the cut through the rows whose field `by` is one of `of`. One statement.

        Each parent's are looked for in its own part of an index on (`by`, id): PostgreSQL by itself
        would go through all rows from the edge on, hoping to meet enough of them.
        """
        mine = self.cut(rows.filter(**{by: OuterRef("pk")})).values("pk")
        found = chain.from_iterable(of.values_list(ArraySubquery(mine), flat=True))
        return (nlargest if self._is_down else nsmallest)(self.size + 1, found)

    def page[Row: Model](self, rows: QuerySet[Row]) -> Page[Row]:
        """The page of `rows`. One statement. An empty one beyond the end leads back to the beginning."""
        found = list(self.cut(rows))
        has_more = len(found) > self.size
        del found[self.size :]
        if not found:
            return Page([], self._address() if self._way else "", "")
        back, on = self._ways
        if is_back := self._way == back:
            found.reverse()
        has_prev = has_more if is_back else bool(self._way)
        return Page(
            found,
            self._address(back, found[0]) if has_prev else "",
            self._address(on, found[-1]) if has_more or is_back else "",
        )

    def _address(self, way: str = "", row: Model | None = None) -> str:
        query = self.kept
        if row:
            query[way] = str(getattr(row, self._field))
        return f"?{query.urlencode()}{self.anchor}"
