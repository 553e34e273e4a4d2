"""Staff pages of imports: upload a file, see what it would do, let it run, take it back."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from typing import Any

from django.contrib import messages
from django.http import HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.formats import number_format
from django.utils.http import content_disposition_header
from django.utils.text import slugify
from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST
from django_htmx.http import HttpResponseClientRefresh

from accounts.decorators import staff_required
from accounts.http import StaffRequest, posted
from enrollments.forms.imports import ImportForm, OfferChoiceForm
from enrollments.members_file import PATTERNS
from enrollments.models import ImportBatch, RowOutcome
from enrollments.undoing import Prospect, prospect
from portal.models import Job
from portal.paging import Place
from portal.spreadsheets import CSV, defused

PAGE = 50
BOM = "\N{ZERO WIDTH NO-BREAK SPACE}"  # without it Excel takes UTF-8 for something else


@staff_required("manage_access")
def import_list(request: StaffRequest) -> HttpResponse:
    """Who imported which file, when, and how that went. Newest first."""
    batches = ImportBatch.objects.select_related("started_by").prefetch_related("offers")
    page = Place(request.GET, size=PAGE).page(batches.defer("sheet"))
    return render(request, "enrollments/dashboard/import_list.html", {"page": page})


@staff_required("manage_access")
def import_create(request: StaffRequest) -> HttpResponse:
    """Upload a file and say what for; nothing happens to anybody yet."""
    initial = {"contents": request.GET.getlist("contents")}
    form = ImportForm(posted(request), request.FILES or None, initial=initial)
    if form.is_valid():
        return redirect("enrollments:import_detail", form.save().pk)
    return render(request, "enrollments/dashboard/import_create.html", {"form": form})


@staff_required("manage_access")
def import_detail(request: StaffRequest, pk: int) -> HttpResponse:
    """One import, its whole life long: a question, the dry run, the progress, the result, the undoing."""
    batch = get_object_or_404(ImportBatch.objects.select_related("started_by"), pk=pk)
    if request.htmx:
        return _progress(request, batch)
    form = None
    if batch.state == "uploaded" and batch.has_file:
        form = OfferChoiceForm(posted(request), batch=batch)
    if form and form.is_valid():
        form.save()
        return redirect("enrollments:import_detail", pk)
    context = {
        "batch": batch,
        "offers": list(batch.offers.all()),
        "form": form,
        "is_stuck": _is_stuck(batch),
        **_rows(request, batch),
    }
    return render(request, "enrollments/dashboard/import_detail.html", context)


def _progress(request: StaffRequest, batch: ImportBatch) -> HttpResponse:
    """The bar alone, as long as there is something to wait for; then the whole page, once."""
    if not batch.step:
        return HttpResponseClientRefresh()
    context = {"batch": batch, "is_stuck": _is_stuck(batch)}
    return render(request, "enrollments/dashboard/import_detail.html#progress", context)


def _is_stuck(batch: ImportBatch) -> bool:
    """Whether the work was given up after many failures, and waits for a person."""
    key = f"{batch.step}:{batch.pk}"
    return bool(batch.step) and Job.objects.filter(key=key, state="dead").exists()


def _rows(request: StaffRequest, batch: ImportBatch) -> dict[str, Any]:
    """A page of the rows, of one outcome or all, by row number."""
    outcome = request.GET.get("outcome", "")
    rows = batch.rows.select_related("contact")
    if outcome in RowOutcome.values:
        rows = rows.filter(outcome=outcome)
    place = Place(request.GET, size=PAGE, order="number", anchor="#rows")
    return {
        "page": place.page(rows),
        "outcome": outcome,
        "columns": dict(batch.sheet.get("columns", [])),
        "tabs": list(_tabs(batch, outcome)),
    }


def _tabs(batch: ImportBatch, outcome: str) -> Iterator[dict[str, Any]]:
    """One for every outcome that occurred, for each of which rows are told."""
    told = {"duplicate", "failed"} if batch.started_at is None else set(RowOutcome.values)
    counts = {value: batch.counts.get(value, 0) for value in told}
    every = [("", _("All rows") if batch.started_at else _("All problems"), sum(counts.values()))]
    for value, label, count in [
        *every,
        *((value, label, counts[value]) for value, label in RowOutcome.choices if value in counts),
    ]:
        if count or not value:
            yield {
                "label": label,
                "count": number_format(count, force_grouping=True),
                "url": f"?outcome={value}#rows" if value else "?#rows",
                "is_current": value == outcome,
            }


@require_POST
@staff_required("manage_access")
def import_start(request: StaffRequest, pk: int) -> HttpResponse:
    """Let the file be imported. Twice is harmless."""
    batch = get_object_or_404(ImportBatch, pk=pk)
    if not batch.start():
        messages.info(request, _("This import was started already, or is not ready yet."))
    return redirect("enrollments:import_detail", pk)


@staff_required("manage_access")
def import_undo(request: StaffRequest, pk: int) -> HttpResponse:
    """Take an import back; GET says what that does."""
    batch = get_object_or_404(ImportBatch.objects.over(), pk=pk)
    if request.method == "POST":
        if not batch.undo():
            messages.info(request, _("This import is being undone, or was undone already."))
        return redirect("enrollments:import_detail", pk)
    context = {"batch": batch, "items": undo_sentences(prospect(batch))}
    return render(request, "enrollments/dashboard/import_undo.html", context)


def undo_sentences(found: Prospect) -> list[str]:
    """What undoing would do, in numbers; only what there is."""
    told = [
        (found.grants, ngettext("Revokes %d grant.", "Revokes %d grants.", found.grants)),
        (
            found.dates,
            ngettext(
                "Sets %d end date back to what it was.",
                "Sets %d end dates back to what they were.",
                found.dates,
            ),
        ),
        (
            found.contacts,
            ngettext(
                "Archives %d contact it created who has nothing else.",
                "Archives %d contacts it created who have nothing else.",
                found.contacts,
            ),
        ),
        (
            found.dates_left,
            ngettext(
                "Leaves %d end date that somebody changed since.",
                "Leaves %d end dates that somebody changed since.",
                found.dates_left,
            ),
        ),
        (
            found.contacts_left,
            ngettext(
                "Leaves %d contact it created who has another grant or a note, was in, or was edited since.",
                "Leaves %d contacts it created who have another grant or a note, were in, or were edited since.",
                found.contacts_left,
            ),
        ),
    ]
    sentences = [
        text.replace("%d", number_format(number, force_grouping=True))
        for number, text in told
        if number
    ] or [_("There is nothing left to take back.")]
    return [
        *sentences,
        _("Names, phone numbers and tags it filled in stay. Nobody is told by mail."),
    ]


class _Echo:
    """What a csv.writer writes to, so that it hands back each line."""

    def write(self, line: str) -> str:
        return line


def _csv(name: str, lines: Iterator[list[str]], *, delimiter: str) -> StreamingHttpResponse:
    """A file to download, as Excel opens it by a double click."""
    writer = csv.writer(_Echo(), delimiter=delimiter)
    written = (writer.writerow(line) for line in lines)
    response = StreamingHttpResponse(_marked(written), content_type=CSV)
    response["Content-Disposition"] = content_disposition_header(
        as_attachment=True, filename=f"{name}.csv"
    )
    return response


def _marked(lines: Iterator[str]) -> Iterator[str]:
    yield BOM
    yield from lines


@staff_required("manage_access")
def import_failed_rows(request: StaffRequest, pk: int) -> StreamingHttpResponse:
    """The rows that failed, under the file's own header, and why: to be mended and uploaded again."""
    batch = get_object_or_404(ImportBatch, pk=pk)
    delimiter = batch.sheet.get("delimiter", "")
    name = f"{slugify(batch.file_name.rpartition('.')[0]) or 'import'}-{_('failed')}"
    return _csv(name, _failed(batch), delimiter=delimiter if delimiter in list(",;\t") else ";")


def _failed(batch: ImportBatch) -> Iterator[list[str]]:
    """Lines of the file of failed rows. The reason stands in a last column, which an upload ignores."""
    title = _("Why it was not imported")
    header: list[str] = batch.sheet.get("header", [])
    kept = [place for place, column in enumerate(header) if column != title]
    yield [*(defused(header[place]) for place in kept), title]
    failed = batch.rows.filter(outcome=RowOutcome.FAILED).order_by("number")
    for row in failed.only("cells", "reason").iterator(chunk_size=2000):
        cells: list[str] = row.cells or []
        beyond = cells[len(header) :]  # too many: they stay behind everything that has a title
        mine = [cells[place] if place < len(cells) else "" for place in kept]
        yield [*map(defused, mine), row.reason, *map(defused, beyond)]


@staff_required("manage_access")
def import_template(request: StaffRequest) -> StreamingHttpResponse:
    """An empty members file to fill in, with its header in the reader's language."""
    language = get_language() or "en"
    header = PATTERNS.get(language, PATTERNS["en"])
    delimiter = "," if language == "en" else ";"
    return _csv(_("members"), iter([list(header)]), delimiter=delimiter)
