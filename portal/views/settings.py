"""The settings of the school."""

from __future__ import annotations

from typing import Any, ClassVar
from zoneinfo import available_timezones

from django import forms
from django.contrib import messages
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from accounts.decorators import staff_required
from accounts.http import StaffRequest, posted
from portal.events import Name, record
from portal.models import School


class SchoolForm(forms.ModelForm[School]):
    """The school's name, face, zone and language, and whether it sends access mails."""

    class Meta:
        model = School
        fields: ClassVar[list[str]] = [
            "name",
            "support_email",
            "logo_url",
            "accent",
            "time_zone",
            "language",
            "mails_access",
        ]
        widgets: ClassVar[dict[str, Any]] = {
            "accent": forms.TextInput(attrs={"type": "color"}),
            # 600 zones as the options of a select would cost more than the rest of the page.
            "time_zone": forms.TextInput(attrs={"list": "time-zones", "autocomplete": "off"}),
        }

    def clean_name(self) -> str:
        """One line: the name stands in the head of every mail."""
        return " ".join(self.cleaned_data["name"].split())

    @transaction.atomic
    def save(self, commit: bool = True) -> School:
        """Keep what changed and record `settings.changed` with the names of those fields."""
        if self.changed_data:
            self.instance.save(update_fields=self.changed_data)
            record(Name.SETTINGS_CHANGED, fields=self.changed_data)
        return self.instance


@staff_required("manage_settings")
def settings(request: StaffRequest) -> HttpResponse:
    """One form for all of them. It gets a row of its own: validating writes into it."""
    form = SchoolForm(posted(request), instance=School.objects.get(pk=request.school.pk))
    if form.is_valid():
        form.save()
        messages.success(request, _("Settings saved."))
        return redirect("portal:settings")
    context = {"form": form, "zones": sorted(available_timezones())}
    return render(request, "portal/dashboard/settings.html", context)
