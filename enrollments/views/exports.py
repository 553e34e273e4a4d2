"""Exports as downloads: what the list shows, or who was chosen on it, as CSV or XLSX."""

from __future__ import annotations

import tempfile

from django.contrib import messages
from django.http import FileResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import redirect
from django.utils.http import content_disposition_header
from django.utils.text import slugify
from django.views.decorators.http import require_POST

from accounts.decorators import staff_required
from accounts.http import StaffRequest
from accounts.selection import Selection
from enrollments.exporting import CONTACTS, ENROLLMENTS, SUBSCRIPTIONS, Export
from portal.models import School
from portal.spreadsheets import CSV, XLSX


@require_POST
@staff_required("export")
def enrollment_export(request: StaffRequest) -> HttpResponseBase:
    """The enrollments of those who are selected, a row for each course."""
    return _download(request, ENROLLMENTS)


@require_POST
@staff_required("export")
def subscription_export(request: StaffRequest) -> HttpResponseBase:
    """The subscriptions of those who are selected."""
    return _download(request, SUBSCRIPTIONS)


@require_POST
@staff_required("export")
def contact_export(request: StaffRequest) -> HttpResponseBase:
    """Those who are selected, with everything the portal knows about them."""
    return _download(request, CONTACTS)


def _download(request: StaffRequest, export: Export) -> HttpResponseBase:
    """The file of whom the form's fields mean, which are those of the list's address.

    A CSV is sent while it is read; a workbook is finished before its first byte leaves.
    """
    selection = Selection.from_query(request.POST)
    if selection.problems:
        for problem in selection.problems:
            messages.error(request, problem)
        return redirect("portal:contact_list")
    name = f"{slugify(str(export.title)) or export.name}-{School.current().today()}"
    if request.POST.get("format") == "xlsx":
        export.record(selection, file_format="xlsx")
        file = tempfile.TemporaryFile()  # noqa: SIM115 -- the response closes it
        export.write_xlsx(file, selection)
        file.seek(0)
        return FileResponse(file, as_attachment=True, filename=f"{name}.xlsx", content_type=XLSX)
    export.record(selection, file_format="csv")
    response = StreamingHttpResponse(export.csv(selection), content_type=CSV)
    response["Content-Disposition"] = content_disposition_header(
        as_attachment=True, filename=f"{name}.csv"
    )
    return response
