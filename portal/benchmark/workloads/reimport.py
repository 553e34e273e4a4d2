"""`reimport`: the same members file again. Its floor is the first time; nothing may come of the second."""

from __future__ import annotations

from collections.abc import Iterator

from enrollments.importing import import_members
from enrollments.members_file import open_sheet
from enrollments.models import Grant
from portal.benchmark.filling import offer
from portal.benchmark.measuring import Figure, Goal, Workload, counted, peak_memory, timed
from portal.benchmark.workloads.importing import empty, members_file
from portal.events import Name
from portal.models import Event, Outbox


def measure(size: int) -> list[Figure]:
    """A file into empty tables, and once more."""
    path, given = members_file(size), offer(1)
    empty()

    def work() -> None:
        sheet = open_sheet(path, max_rows=10**7, max_bytes=10**9)
        import_members(sheet, offers=[given], file_name=path.name)

    first = timed(work)
    before = _traces()
    with counted() as statements:
        again = timed(work)
    if _traces() != before:
        raise RuntimeError("The second time left something behind")
    return [
        Figure(
            size=size,
            case="",
            value=size / again,
            unit="rows/s",
            floor=size / first,
            took=again,
            statements=len(statements),
            memory=peak_memory(),
            pace=first,
            facts={"seconds": again, "first": first},
        )
    ]


def _traces() -> tuple[int, int, int]:
    """Grants, events and what waits to follow from them; that an import finished does not count."""
    told = Event.objects.exclude(name=Name.IMPORT_FINISHED)
    waiting = Outbox.objects.exclude(event__name=Name.IMPORT_FINISHED)
    return Grant.objects.count(), told.count(), waiting.count()


def goals(now: Figure, smaller: Figure | None) -> Iterator[Goal]:
    yield Goal("ratio", now.ratio, 2, is_minimum=True)
    if smaller:
        yield Goal("growth", now.took / smaller.took, 1.05 * now.size / smaller.size)


WORKLOAD = Workload((1_000, 10_000, 100_000), measure, goals)
