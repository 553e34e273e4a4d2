"""The settings of the school."""

from __future__ import annotations

from typing import Any, ClassVar

from django import forms
from django.contrib import messages
from django.contrib.auth.password_validation import validate_password
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.decorators import fresh_login_required, staff_required
from accounts.http import StaffRequest, posted
from portal.events import Name, record
from portal.models import Credentials, School, time_zones
from portal.sealing import seal


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


class AccessForm(forms.ModelForm[School]):
    """The ways in: what newcomers are sent, and what is asked of whom."""

    default_password = forms.CharField(
        label=gettext_lazy("Default password"),
        required=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text=gettext_lazy(
            "At least 8 characters, and no common word. Needed only where the welcome mail carries it."
        ),
    )
    forget_default_password = forms.BooleanField(
        label=gettext_lazy("Forget the present default password"), required=False
    )

    class Meta:
        model = School
        fields: ClassVar[list[str]] = [
            "credentials",
            "temporary_hours",
            "max_sessions",
            "needs_second_factor",
            "simulation_notice",
        ]
        labels: ClassVar[dict[str, Any]] = {
            "credentials": gettext_lazy("What the welcome mail carries"),
        }
        help_texts: ClassVar[dict[str, Any]] = {
            "credentials": gettext_lazy(
                "A provisional password is drawn for each person alone; staff do not see it."
            ),
            "needs_second_factor": gettext_lazy(
                "Whoever has none yet, you too, sets one up before the dashboard opens again."
            ),
            "temporary_hours": gettext_lazy(
                "Counted from the mail that carries it. At the first login people choose their own."
            ),
            "simulation_notice": gettext_lazy(
                "By a mail, and on their profile. Not telling them is no choice."
            ),
        }
        widgets: ClassVar[dict[str, Any]] = {"credentials": forms.RadioSelect}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not self.instance.default_password:
            del self.fields["forget_default_password"]

    def clean_default_password(self) -> str:
        """As good as anybody's own has to be."""
        password: str = self.cleaned_data["default_password"]
        if password:
            validate_password(password)
        return password

    def clean(self) -> dict[str, Any]:
        """The default password can only be mailed where there is one."""
        words = super().clean() or {}
        is_kept = self.instance.default_password and not words.get("forget_default_password")
        has_one = words.get("default_password") or is_kept or "default_password" in self.errors
        if words.get("credentials") == Credentials.DEFAULT and not has_one:
            self.add_error("default_password", _("Enter the password that newcomers are sent."))
        return words

    @transaction.atomic
    def save(self, commit: bool = True) -> School:
        """Keep what changed and record `settings.changed`: those fields, and what they hold; a password never."""
        password = self.cleaned_data["default_password"]
        changed = [name for name in self._meta.fields or () if name in self.changed_data]
        values = {name: self.cleaned_data[name] for name in changed}
        if password or self.cleaned_data.get("forget_default_password"):
            sealed = seal(password, purpose="default_password") if password else ""
            self.instance.default_password = sealed
            changed.append("default_password")
        if changed:
            self.instance.save(update_fields=changed)
            record(Name.SETTINGS_CHANGED, fields=changed, **values)
        return self.instance


@staff_required("manage_settings")
def settings(request: StaffRequest) -> HttpResponse:
    """One form for all of them. It gets a row of its own: validating writes into it."""
    form = SchoolForm(posted(request), instance=School.objects.get(pk=request.school.pk))
    if form.is_valid():
        form.save()
        messages.success(request, _("Settings saved."))
        return redirect("portal:settings")
    context = {"form": form, "zones": time_zones()}
    return render(request, "portal/dashboard/settings.html", context)


@staff_required("manage_settings")
@fresh_login_required
def access_settings(request: StaffRequest) -> HttpResponse:
    """How people get in: credentials of newcomers, sessions, second factors. The default password is never shown."""
    form = AccessForm(posted(request), instance=School.objects.get(pk=request.school.pk))
    if form.is_valid():
        form.save()
        messages.success(request, _("Settings saved."))
        return redirect("portal:access_settings")
    context = {"form": form, "has_default_password": bool(request.school.default_password)}
    return render(request, "portal/dashboard/access_settings.html", context)
