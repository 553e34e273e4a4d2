"""Filters of contacts: small registered objects that read like a sentence and combine with and / or.

An app adds its own by registering a `Filter` (and a `Scope`, if it has rows of its own about contacts)
when it is ready. Lists, segments, bulk actions and exports all ask here who is meant.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from django.db.models import BooleanField, Exists, Func, OuterRef, Q, QuerySet
from django.http import QueryDict
from django.utils.dateparse import parse_date
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from accounts.models import Contact
from accounts.models.contact import ContactQuerySet
from portal import context
from portal.addresses import is_pk

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

MAX_WHERE = 20  # filters in one address
MAX_VALUES = 200  # of one filter
MAX_WORDS = 200  # characters

type Widget = Literal["choices", "day", "number"]


class Unclear(ValueError):
    """A filter that cannot be understood; says what to do about it."""


class Filter(ABC):
    """One question about a contact. `rows()` asks it of the rows of its scope."""

    key: ClassVar[str]
    label: ClassVar[StrOrPromise]
    widget: ClassVar[Widget] = "choices"
    operators: ClassVar[dict[str, StrOrPromise]] = {
        "is": gettext_lazy("is"),
        "is_not": gettext_lazy("is not"),
    }
    valueless: ClassVar[frozenset[str]] = frozenset()  # operators that need no value
    # Which rows it asks: those of the first scope that another filter asks too, else of the
    # first. Filters of one scope must hold for one and the same row.
    scopes: ClassVar[tuple[str, ...]] = ("contact",)

    def choices(self) -> Iterable[tuple[str, str]]:
        """(value, label) of what can be chosen."""
        return ()

    def known(self) -> dict[str, str]:
        """choices() as they were when this act (a request, a task) first asked."""
        known: dict[str, str] = context.act().memo.setdefault(f"filter:{self.key}", {})
        if not known:
            known.update(self.choices())
        return known

    def clean(self, value: str) -> Any:
        """What `value`, from an address somebody may have typed, means. Raises Unclear."""
        known = self.known()
        values = value.split(",")
        if len(values) > MAX_VALUES or any(each not in known for each in values):
            raise Unclear(
                _("The filter “%(label)s” knows no “%(value)s”. Choose it anew.")
                % {"label": self.label, "value": value[:100]}
            )
        return values

    def say(self, value: str) -> str:
        """`value` in words."""
        known = self.known()
        return (" " + _("or") + " ").join(known.get(each, each) for each in value.split(","))

    @abstractmethod
    def rows(self, operator: str, value: Any, *, scope: str) -> Q:
        """The condition on a row of `scope`. `value` is as clean() gave it; never asked "is_not"."""

    def lead(self, value: Any) -> Q:
        """What is true of every contact whom rows() finds, and can be looked up at once: for few among many."""
        return Q()


class DayFilter(Filter):
    """A question about a day, in the school's zone."""

    widget: ClassVar[Widget] = "day"
    operators: ClassVar[dict[str, StrOrPromise]] = {
        "before": gettext_lazy("before"),
        "after": gettext_lazy("after"),
    }

    def clean(self, value: str) -> date:
        try:
            day = parse_date(value)
        except ValueError:  # shaped like a date, but not in the calendar
            day = None
        if day is None or not 1900 <= day.year <= 2999:
            raise Unclear(
                _("“%(value)s” in the filter “%(label)s” is no date. Choose it anew.")
                % {"label": self.label, "value": value[:40]}
            )
        return day

    def say(self, value: str) -> str:
        return date_format(self.clean(value))


@dataclass(frozen=True)
class Scope:
    """A kind of row about contacts: each has a `contact`."""

    key: str
    rows: Callable[[], QuerySet[Any]]


FILTERS: dict[str, Filter] = {}
SCOPES: dict[str, Scope] = {}


def register(filter_: type[Filter]) -> type[Filter]:
    """Offer a filter, in this order, on the contact list."""
    FILTERS[filter_.key] = filter_()
    return filter_


def register_scope(scope: Scope) -> None:
    """Let filters ask the rows of `scope`."""
    SCOPES[scope.key] = scope


@dataclass(frozen=True)
class Condition:
    """One filter as it is used: `course:is:5`."""

    filter: Filter
    operator: str
    value: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `key:operator:value`. Raises Unclear."""
        key, operator, value = [*text.split(":", 2), "", ""][:3]
        found = FILTERS.get(key)
        if found is None or operator not in found.operators:
            raise Unclear(_("The list knows no filter “%s”. Choose it anew.") % text[:100])
        if operator not in found.valueless:
            found.clean(value)
        return cls(found, operator, "" if operator in found.valueless else value)

    def __str__(self) -> str:
        return f"{self.filter.key}:{self.operator}:{self.value}"

    @property
    def is_negative(self) -> bool:
        return self.operator == "is_not"

    @property
    def label(self) -> str:
        """What is asked: "course is"."""
        return f"{self.filter.label} {self.filter.operators[self.operator]}"

    @property
    def words(self) -> str:
        """What must be the answer: "Base or Advanced"."""
        return self.filter.say(self.value) if self.value else ""

    def rows(self, scope: str) -> Q:
        """The condition on a row of `scope`, as if it were not negative."""
        value = self.filter.clean(self.value) if self.value else None
        operator = "is" if self.is_negative else self.operator
        return self.filter.rows(operator, value, scope=scope)

    def lead(self) -> Q:
        """A condition on contacts that adds nothing to rows() but a quick way there."""
        return self.filter.lead(self.filter.clean(self.value)) if self.value else Q()


@dataclass(frozen=True)
class Selection:
    """Which contacts are meant: words that match and conditions that hold, as an address tells them."""

    words: str = ""
    conditions: tuple[Condition, ...] = ()
    is_any: bool = False  # one condition is enough
    ids: tuple[int, ...] = ()  # these alone, of those that fit
    of_portal: bool = False  # only who has a login: was ever given an offer, or invited
    problems: tuple[str, ...] = field(default=(), compare=False)

    @classmethod
    def from_query(cls, query: QueryDict) -> Self:
        """Read an address. What cannot be understood is a problem, and then nobody is meant."""
        conditions, problems = list[Condition](), list[str]()
        for text in query.getlist("where")[: MAX_WHERE + 1]:
            try:
                conditions.append(Condition.parse(text.replace("\0", "")))
            except Unclear as problem:
                problems.append(str(problem))
        if len(conditions) > MAX_WHERE:
            problems.append(
                ngettext(
                    "At most %d filter can be combined.",
                    "At most %d filters can be combined.",
                    MAX_WHERE,
                )
                % MAX_WHERE
            )
        if not all(is_pk(text) for text in query.getlist("ids")):
            problems.append(_("The chosen rows cannot be read. Choose them anew."))
        words = query.get("q", "").strip()
        if "\0" in words or len(words) > MAX_WORDS:
            problems.append(_("The search cannot be read. Type it anew, and shorter."))
        if query.get("match", "") not in ("", "any") or query.get("among", "") not in (
            "",
            "portal",
        ):
            problems.append(_("The address of this list cannot be read. Begin with all contacts."))
        return cls(
            words=words.replace("\0", ""),
            conditions=tuple(dict.fromkeys(conditions)),
            is_any=query.get("match") == "any",
            ids=tuple(int(text) for text in query.getlist("ids") if is_pk(text)),
            of_portal=query.get("among") == "portal",
            problems=tuple(problems),
        )

    def as_query(self) -> str:
        """The same as an address, in one spelling; without chosen ids."""
        query = QueryDict(mutable=True)
        if self.words:
            query["q"] = self.words
        query.setlist("where", [str(condition) for condition in self.conditions])
        if self.is_any:
            query["match"] = "any"
        if self.of_portal:
            query["among"] = "portal"
        return query.urlencode()

    def with_condition(self, condition: Condition) -> Self:
        return replace(self, conditions=(*self.conditions, condition))

    def without(self, condition: Condition) -> Self:
        return replace(
            self, conditions=tuple(each for each in self.conditions if each != condition)
        )

    def contacts(self) -> ContactQuerySet:
        """Those who are meant, archived ones never. Nobody while there is a problem: fail closed."""
        if self.problems:
            return Contact.objects.none()
        found = Contact.objects.present().matching(self.words)
        if self.ids:
            found = found.filter(pk__any_of=self.ids)
        if self.of_portal:
            found = found.filter(user__isnull=False)
        return found.filter(self._condition()) if self.conditions else found

    def rows(self, scope: str) -> QuerySet[Any]:
        """The rows of `scope` of those who are meant; where all conditions must hold, those that fit them."""
        of_them = SCOPES[scope].rows().filter(contact__in=self.contacts().order_by())
        fitting = [] if self.is_any else self._by_scope().get(scope, [])
        return of_them.filter(*(condition.rows(scope) for condition in fitting))

    def _condition(self) -> Q:
        """On contacts: what all the conditions come to."""
        if self.is_any:
            parts = [
                _on_contact(each.filter.scopes[0], [each], by_walking=True)
                for each in self.conditions
            ]
            return reduce(or_, parts)
        found = Q()
        for scope, conditions in self._by_scope().items():
            found &= _on_contact(scope, conditions)
        for condition in self.conditions:
            if condition.is_negative:
                found &= _on_contact(condition.filter.scopes[0], [condition])
        return found

    def _by_scope(self) -> dict[str, list[Condition]]:
        """The conditions that one row must fulfil together, by the scope that is asked."""
        positive = [condition for condition in self.conditions if not condition.is_negative]
        certain = {each.filter.scopes[0] for each in positive if len(each.filter.scopes) == 1}
        found: dict[str, list[Condition]] = {}
        for condition in positive:
            scopes = condition.filter.scopes
            scope = next((scope for scope in scopes if scope in certain), scopes[0])
            found.setdefault(scope, []).append(condition)
        return found


def _on_contact(scope: str, conditions: Sequence[Condition], *, by_walking: bool = False) -> Q:
    """On contacts: that one row of `scope` fulfils all of `conditions` (which are all negative, or none is).

    `by_walking` they are asked of one contact after the other.
    """
    asked = [condition.rows(scope) for condition in conditions]
    if scope == "contact":
        found = Q(*asked)
    else:
        rows = SCOPES[scope].rows().filter(*asked, contact=OuterRef("pk"))
        found = walked(exists(rows)) if by_walking else exists(rows)
        if not (by_walking or conditions[0].is_negative):
            found &= Q(*(condition.lead() for condition in conditions))
    return ~found if conditions[0].is_negative else found


def walked(condition: Q) -> Q:
    """The same, asked of one row after the other until a page is full.

    Left to itself PostgreSQL may first collect everybody, for a page of fifty: of what is computed
    it has no statistics, and expects it of few. Of a SELECT of its own it expects half of the rows.
    """
    return Q(Func(condition, template="(SELECT %(expressions)s)", output_field=BooleanField()))


def exists(rows: QuerySet[Any]) -> Q:
    """That there is such a row for a contact."""
    return Q(Exists(rows))


def named(nouns: QuerySet[Any], *, label: str) -> list[tuple[str, str]]:
    """Nouns as choices, by their pk."""
    return [(str(pk), text) for pk, text in nouns.order_by(label).values_list("pk", label)]
