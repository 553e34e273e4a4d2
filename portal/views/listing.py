"""A list of contacts on screen: found, filtered, sorted, counted, and paged by key."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from django.db.models import Q
from django.http import QueryDict

from accounts.bulk import ACTIONS, Action
from accounts.http import StaffRequest
from accounts.models import Contact, Segment
from accounts.models.contact import ContactQuerySet
from accounts.selection import FILTERS, Condition, Filter, Selection
from enrollments.access import with_portal_status
from portal.addresses import is_pk
from portal.views.columns import COLUMNS, NAME, Column, load

PAGE = 50
COUNTED = 1000  # beyond, the list says "1,000+"; the exact number comes as its own fragment


@dataclass(frozen=True)
class Chip:
    """One condition as the list shows it."""

    label: str
    value: str
    remove_url: str


@dataclass(frozen=True)
class Head:
    """The head of a column: its label, and the address that sorts by it."""

    label: str
    url: str
    direction: str  # "ascending", "descending", or "" if the list is not sorted by it


@dataclass(frozen=True)
class Field:
    """A filter in the menu that adds one, and what can be chosen in it."""

    filter: Filter
    choices: list[tuple[str, str]]

    @property
    def size(self) -> int:
        """How many choices are on screen at once: a short list shows all of them."""
        return min(len(self.choices), 6)


class Listing:
    """What the address of a list asks for, and what is found.

    `columns` are those it shows if none are chosen.
    """

    def __init__(
        self, request: StaffRequest, *, columns: Sequence[str], of_portal: bool = False
    ) -> None:
        self.request, self.query = request, request.GET
        self.selection = replace(Selection.from_query(self.query), of_portal=of_portal)
        chosen = [key for key in self.query.getlist("columns") if key in COLUMNS]
        self.columns = [COLUMNS[key] for key in (chosen or columns)]
        self.has_own_columns = bool(chosen)
        sortable = {column.key: column for column in (NAME, *COLUMNS.values()) if column.sort}
        sort = self.query.get("sort", "")
        self.sort = sortable.get(sort.removeprefix("-"), COLUMNS["created"])
        self.is_down = sort.startswith("-") if sort else self.sort.is_downward

    # Addresses

    def address(self, **changes: Any) -> str:
        """The list's address with some things changed: a list of texts, a text, or None to leave it out.

        Whatever changes, the list begins at its first page again unless a page is asked for.
        """
        query = QueryDict(self.selection.as_query(), mutable=True)
        if self.has_own_columns:
            query.setlist("columns", [column.key for column in self.columns])
        if self.query.get("sort"):
            query["sort"] = self.query["sort"]
        for name, value in changes.items():
            query.setlist(name, value if isinstance(value, list) else [value] if value else [])
        return f"?{query.urlencode()}"

    def _with(self, selection: Selection) -> str:
        where = [str(condition) for condition in selection.conditions]
        return self.address(q=selection.words, where=where)

    # What is on the page

    @cached_property
    def page(self) -> list[Contact]:
        """The rows of this page, in order, with what their columns show."""
        before, after = self.query.get("before", ""), self.query.get("after", "")
        rows = self.selection.contacts().alias(key=self.sort.sort)
        if is_pk(before):  # the page that ends above that row
            found = self._cut(rows, int(before), is_down=not self.is_down)[::-1]
            self.has_previous, self.has_next = len(found) > PAGE, True
            page = found[-PAGE:]
        else:
            start = int(after) if is_pk(after) else None
            found = self._cut(rows, start, is_down=self.is_down)
            self.has_previous, self.has_next = start is not None, len(found) > PAGE
            page = found[:PAGE]
        load(self.columns, page)
        return page

    def _cut(self, rows: ContactQuerySet, start: int | None, *, is_down: bool) -> list[Contact]:
        """The first rows beyond the contact `start`, one more than fit.

        Their states are looked up when they are chosen: before, PostgreSQL would walk through the
        grants of everybody up to a page in the middle.
        """
        if start is not None:
            anchor = Contact.objects.filter(pk=start).annotate(key=self.sort.sort)
            key = anchor.values_list("key", flat=True).first()
            if key is None:
                return []
            way = "lt" if is_down else "gt"
            # The first condition is what an index can begin at, the second what is exact.
            rows = rows.filter(**{f"key__{way}e": key}).filter(
                Q(**{f"key__{way}": key}) | Q(**{f"pk__{way}": start})
            )
        order = ["-key", "-pk"] if is_down else ["key", "pk"]
        pks = list(rows.order_by(*order).values_list("pk", flat=True)[: PAGE + 1])
        chosen = with_portal_status(Contact.objects.filter(pk__in=pks)).in_bulk()
        return [chosen[pk] for pk in pks]

    @property
    def rows(self) -> list[tuple[Contact, list[tuple[str, object]]]]:
        """Each contact of the page with its cells: (label, content)."""
        return [
            (contact, [(str(column.label), column.cell(contact)) for column in self.columns])
            for contact in self.page
        ]

    @property
    def heads(self) -> list[Head]:
        return [self._head(column) for column in (NAME, *self.columns)]

    def _head(self, column: Column) -> Head:
        if column.sort is None:
            return Head(str(column.label), "", "")
        is_sorted = column == self.sort
        down = not self.is_down if is_sorted else column.is_downward
        direction = "descending" if self.is_down else "ascending"
        url = self.address(sort=f"{'-' if down else ''}{column.key}")
        return Head(str(column.label), url, direction if is_sorted else "")

    @cached_property
    def count(self) -> int:
        """How many there are, up to one more than `counted`."""
        page = self.page
        if not (self.has_previous or self.has_next):
            return len(page)
        if self.selection.conditions:
            return PAGE + 1
        return self.selection.contacts().order_by()[: COUNTED + 1].count()

    @property
    def counted(self) -> int:
        """Up to where the page counts: of filters, which may have to look at everybody, one page."""
        return PAGE if self.selection.conditions else COUNTED

    @property
    def is_counted(self) -> bool:
        return self.count <= self.counted

    @property
    def previous_url(self) -> str:
        return self.address(before=str(self.page[0].pk)) if self.page and self.has_previous else ""

    @property
    def next_url(self) -> str:
        return self.address(after=str(self.page[-1].pk)) if self.page and self.has_next else ""

    # What can be asked

    @property
    def chips(self) -> list[Chip]:
        """The conditions, as a sentence whose parts can be taken away."""
        return [
            Chip(condition.label, condition.words, self._with(self.selection.without(condition)))
            for condition in self.selection.conditions
        ]

    @property
    def without_words(self) -> str:
        return self.address(q=None)

    @property
    def other_match(self) -> str:
        """The same conditions, with "one is enough" turned into "all must hold" or back."""
        return self.address(match=None if self.selection.is_any else "any")

    @property
    def is_filtered(self) -> bool:
        return bool(self.selection.words or self.selection.conditions or self.selection.problems)

    @property
    def filters(self) -> list[Field]:
        """The filters with what can be chosen in each."""
        return [Field(filter_, list(filter_.choices())) for filter_ in FILTERS.values()]

    @property
    def hidden(self) -> list[tuple[str, str]]:
        """What a form on the list must carry along, so that it adds to what is asked already."""
        query = QueryDict(self.address()[1:])
        return [(name, value) for name, values in query.lists() for value in values]

    @property
    def selected(self) -> list[tuple[str, str]]:
        """What a form must carry that acts on all who are found."""
        query = QueryDict(self.selection.as_query())
        return [(name, value) for name, values in query.lists() for value in values]

    def added(self) -> str:
        """The address that the "add a filter" form means; "" if it was not sent. Raises Unclear."""
        key = self.query.get("add", "")
        if not key:
            return ""
        value = ",".join(self.query.getlist("value"))
        condition = Condition.parse(f"{key}:{self.query.get('operator', 'is')}:{value}")
        return self._with(self.selection.with_condition(condition))

    @property
    def column_choices(self) -> list[tuple[str, str, bool]]:
        """(key, label, whether it is shown) of every column."""
        shown = {column.key for column in self.columns}
        return [(key, str(column.label), key in shown) for key, column in COLUMNS.items()]

    @cached_property
    def segments(self) -> list[Segment]:
        return list(Segment.objects.all()[:50])

    @property
    def segment(self) -> Segment | None:
        """The segment that is on screen, if it is one."""
        mine = self.selection.as_query()
        return next((each for each in self.segments if each.query == mine), None)

    @cached_property
    def may_edit(self) -> bool:
        """Whether this member of staff may change what the listed people see."""
        return self.request.user.may("manage_access")

    @property
    def actions(self) -> list[Action]:
        """What this member of staff may do to many contacts."""
        user = self.request.user
        return [action for action in ACTIONS.values() if user.may(action.permission)]
