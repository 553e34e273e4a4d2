"""What people may change about themselves."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.timezone import now
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import Contact, User
from portal.models import FileKind, School
from portal.uploads import PICTURE, UploadField, settle

CONSENTS = ("newsletter", "promotions")
# Invisible, yet needed to write Persian, Hindi or some emoji: zero width non-joiner and joiner.
JOINERS = "\u200c\u200d"


def visible(text: str) -> str:
    """One line of what can be seen: no control or format characters; "" if nothing is left."""
    kept = (
        letter
        for letter in text
        if letter.isspace() or letter in JOINERS or unicodedata.category(letter) not in {"Cc", "Cf"}
    )
    line = " ".join("".join(kept).split())
    return line if line.strip(JOINERS + " ") else ""


def _bare(name: str) -> str:
    """A name as the eye compares it."""
    shown = unicodedata.normalize("NFKC", visible(name)).casefold()
    return " ".join(shown.translate(dict.fromkeys(map(ord, JOINERS))).split())


def language_field() -> forms.ChoiceField:
    """The language somebody reads; blank follows the school."""
    school = ("", gettext_lazy("As the school"))
    return forms.ChoiceField(
        label=gettext_lazy("Language"), required=False, choices=[school, *settings.LANGUAGES]
    )


def consents(contact: Contact, wanted: Mapping[str, Any]) -> dict[str, datetime | None]:
    """Since when they agree to each of CONSENTS: as it was, from now on, or no more."""
    found = {}
    for consent in CONSENTS:
        since = getattr(contact, f"{consent}_at")
        found[f"{consent}_at"] = (since or now()) if wanted[consent] else None
    return found


class StaffProfileForm(forms.ModelForm[User]):
    """What members of staff may change about themselves."""

    class Meta:
        model = User
        fields: ClassVar[list[str]] = ["name", "language"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["language"] = language_field()
        self.fields["language"].initial = self.instance.language

    def clean_name(self) -> str:
        return visible(self.cleaned_data["name"])

    def save(self, commit: bool = True) -> User:
        """Write the two fields alone."""
        self.instance.save(update_fields=self._meta.fields)
        return self.instance


class ProfileForm(forms.ModelForm[Contact]):
    """Who they are to others, and how the portal speaks to them."""

    picture = UploadField(
        label=gettext_lazy("Picture"), kind=FileKind.IMAGE, longest_side=PICTURE, required=False
    )

    class Meta:
        model = Contact
        fields: ClassVar[list[str]] = ["name", "language", "time_zone"]
        widgets: ClassVar[dict[str, forms.Widget]] = {
            "name": forms.TextInput(attrs={"autocomplete": "name"}),
            # 600 zones as the options of a select would cost more than the rest of the page.
            "time_zone": forms.TextInput(attrs={"list": "time-zones", "autocomplete": "off"}),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.order_fields(["name", "picture", "language", "time_zone"])
        self.fields["picture"].initial = self.instance.picture
        self.fields["language"] = language_field()
        self.fields["time_zone"].help_text = _(
            "For times of day, like the start of a live class. Empty: the school’s, %(zone)s."
        ) % {"zone": School.current().time_zone}

    def clean_name(self) -> str:
        """One line: the name stands in the head of mails. Nobody but staff speaks as the school."""
        name = visible(self.cleaned_data["name"])
        login = self.instance.login
        is_staff = login is not None and login.is_staff
        if name and not is_staff and _bare(name) == _bare(School.current().name):
            raise ValidationError(_("This is the name of the school. Please enter your own."))
        return name

    @transaction.atomic
    def save(self, commit: bool = True) -> Contact:
        """Change what differs. A picture that is replaced or removed is gone for good."""
        contact = Contact.objects.select_related("picture").get(pk=self.instance.pk)
        picture = settle(self.cleaned_data["picture"], present=contact.picture)
        fields = {name: self.cleaned_data[name] for name in self.Meta.fields}
        contact.change(picture=picture, **fields)
        return contact


class NotificationForm(forms.ModelForm[Contact]):
    """What they want to be written to about."""

    newsletter = forms.BooleanField(label=gettext_lazy("The newsletter"), required=False)
    promotions = forms.BooleanField(label=gettext_lazy("Offers and promotions"), required=False)

    class Meta:
        model = Contact
        fields: ClassVar[list[str]] = ["wants_reminders", "wants_replies"]
        labels: ClassVar[dict[str, Any]] = {
            "wants_reminders": gettext_lazy("Reminders before my access ends"),
            "wants_replies": gettext_lazy("Answers to what I wrote below a lesson"),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for consent in CONSENTS:
            self.fields[consent].initial = getattr(self.instance, f"{consent}_at") is not None

    def save(self, commit: bool = True) -> Contact:
        """Change what differs; the moment of each consent is kept as its proof."""
        contact = Contact.objects.get(pk=self.instance.pk)
        fields = {name: self.cleaned_data[name] for name in self.Meta.fields}
        contact.change(**fields, **consents(contact, self.cleaned_data))
        return contact
