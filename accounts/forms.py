"""What may be asked about people, and what is valid."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import Any, ClassVar

from django import forms
from django.conf import settings
from django.contrib.auth.password_validation import (
    password_validators_help_text_html,
    validate_password,
)
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import QueryDict
from django.utils.timezone import now
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import Contact, Link, Note, Segment, Tag, User
from accounts.models.contact import normalize_email
from accounts.models.link import Purpose, Section


def language_field() -> forms.ChoiceField:
    """The language somebody reads; blank follows the school."""
    school = ("", gettext_lazy("As the school"))
    return forms.ChoiceField(
        label=gettext_lazy("Language"), required=False, choices=[school, *settings.LANGUAGES]
    )


CONSENTS = ("newsletter", "promotions")


class ContactForm(forms.ModelForm[Contact]):
    """Registration data of one contact: who they are, how to reach them, what they agreed to."""

    tag_names = forms.CharField(
        label=gettext_lazy("Tags"),
        required=False,
        help_text=gettext_lazy("Separated by commas."),
    )
    newsletter = forms.BooleanField(
        label=gettext_lazy("Wants the newsletter"),
        required=False,
        help_text=gettext_lazy("Tick it only if they said so: the day is kept as a proof."),
    )
    promotions = forms.BooleanField(
        label=gettext_lazy("Wants offers and promotions"), required=False
    )

    class Meta:
        model = Contact
        fields: ClassVar[list[str]] = ["name", "email", "phone", "external_id", "language"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["name"].required = True
        self.fields["language"] = language_field()
        if self.instance.pk:
            names = self.instance.tags.values_list("name", flat=True)
            self.fields["tag_names"].initial = ", ".join(names)
            for consent in CONSENTS:
                self.fields[consent].initial = getattr(self.instance, f"{consent}_at") is not None
            if self.instance.login and self.instance.login.is_staff:
                self.fields["email"].disabled = True
                self.fields["email"].help_text = _("Of staff, who log in with it.")
            elif self.instance.login:
                self.fields["email"].help_text = _(
                    "They log in with it. A new address logs them out and ends links sent to the old one."
                )

    def clean_email(self) -> str:
        """One spelling per address, so that case makes no second person."""
        email = normalize_email(self.cleaned_data["email"])
        taken = Contact.objects.filter(email=email).exclude(pk=self.instance.pk).exists()
        if self.instance.pk and not taken:  # a login follows its contact, and must find room
            taken = User.objects.filter(email=email).exclude(contact=self.instance.pk).exists()
        if taken:
            raise ValidationError(_("There is a contact with this address already."))
        return email

    def clean_external_id(self) -> str | None:
        return self.cleaned_data["external_id"] or None

    def clean_tag_names(self) -> list[str]:
        names = [name.strip() for name in self.cleaned_data["tag_names"].split(",")]
        if any(len(name) > 60 for name in names):
            raise ValidationError(_("A tag has 60 characters at most."))
        return sorted({name for name in names if name})

    @transaction.atomic
    def save(self, commit: bool = True) -> Contact:
        """Make the contact, or change what differs."""
        fields = {name: self.cleaned_data[name] for name in self.Meta.fields}
        if self.instance.pk:
            contact = Contact.objects.get(pk=self.instance.pk)
            contact.change_email(fields.pop("email"))
        else:
            contact = Contact.objects.add(email=fields.pop("email"), name=fields.pop("name"))
        contact.change(**fields, **self._consents(contact))
        contact.tag(self.cleaned_data["tag_names"])
        return contact

    def _consents(self, contact: Contact) -> dict[str, datetime | None]:
        """Since when they agree: as it was, from now on, or no more."""
        found = {}
        for consent in CONSENTS:
            since = getattr(contact, f"{consent}_at")
            found[f"{consent}_at"] = (since or now()) if self.cleaned_data[consent] else None
        return found


class TagForm(forms.Form):
    """One tag to put on a contact, or to take off."""

    add = forms.CharField(max_length=60, required=False)
    remove = forms.CharField(max_length=60, required=False)

    def __init__(self, data: QueryDict, *, contact: Contact) -> None:
        super().__init__(data)
        self.contact = contact

    def clean(self) -> dict[str, Any]:
        words = super().clean() or self.cleaned_data
        if not (words.get("add") or words.get("remove")):
            raise ValidationError(_("A tag has 60 characters at most, and one at least."))
        if known := Tag.objects.filter(name__iexact=words.get("add", "")).first():
            words["add"] = known.name  # so that case makes no second tag
        return words

    @transaction.atomic
    def save(self) -> bool:
        """Put the tag on or take it off; whether that changed anything."""
        Contact.objects.select_for_update(no_key=True).get(pk=self.contact.pk)
        before = set(self.contact.tags.values_list("name", flat=True))
        after = (before | {self.cleaned_data["add"]}) - {self.cleaned_data["remove"], ""}
        self.contact.tag(after)
        return after != before


class NoteForm(forms.ModelForm[Note]):
    """What staff tell each other about a contact."""

    class Meta:
        model = Note
        fields: ClassVar[list[str]] = ["text"]
        widgets: ClassVar[dict[str, forms.Widget]] = {"text": forms.Textarea(attrs={"rows": 3})}

    @transaction.atomic
    def save_once(self) -> None:
        """Keep the note, unless its author wrote the very same a minute ago: a double click is one note."""
        note = self.instance
        Contact.objects.select_for_update(no_key=True).get(pk=note.contact_id)
        lately = Note.objects.filter(created_at__gt=now() - timedelta(minutes=1))
        if not lately.filter(
            contact=note.contact_id, author=note.author_id, text=note.text
        ).exists():
            self.save()


class SegmentForm(forms.ModelForm[Segment]):
    """The name under which a set of filters is kept."""

    class Meta:
        model = Segment
        fields: ClassVar[list[str]] = ["name"]

    def save(self, commit: bool = True, *, query: str = "", user: User | None = None) -> Segment:
        self.instance.query, self.instance.created_by = query, user
        return super().save(commit)


class BlockForm(forms.Form):
    """Why somebody is shut out. Only staff read it."""

    reason = forms.CharField(
        label=gettext_lazy("Reason"),
        max_length=500,
        help_text=gettext_lazy("Only staff see it."),
        widget=forms.Textarea(attrs={"rows": 3}),
    )


class LinkForm(forms.Form):
    """A link by mail: to log in and reach a section, or to choose a new password."""

    section = forms.ChoiceField(label=gettext_lazy("Leads to"), choices=Section)
    purpose = forms.TypedChoiceField(
        choices=[(each.value, each.label) for each in (Purpose.LOGIN, Purpose.RESET)],
        coerce=Purpose,
        required=False,
        empty_value=Purpose.LOGIN,
        widget=forms.HiddenInput,  # which button was pressed
    )
    # Drawn anew for each page that shows the form: a double click sends one mail.
    once = forms.CharField(
        required=False,
        max_length=40,
        widget=forms.HiddenInput,
        initial=lambda: uuid.uuid4().hex,
    )

    def key(self, contact: Contact) -> str | None:
        """What makes asking twice harmless; None for a form without `once`."""
        once, purpose = self.cleaned_data["once"], self.cleaned_data["purpose"]
        return f"staff:{once}:{contact.pk}:{purpose}" if once else None


class NewPasswordForm(forms.Form):
    """A password of one's own choice, once: it is shown while typed, not typed twice."""

    password = forms.CharField(
        label=gettext_lazy("New password"),
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text=password_validators_help_text_html,
    )

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.user = user

    def clean_password(self) -> str:
        password: str = self.cleaned_data["password"]
        validate_password(password, self.user)
        return password


class ResetForm(forms.Form):
    """The address of somebody who lost their password."""

    email = forms.EmailField(
        label=gettext_lazy("E-mail"), widget=forms.EmailInput(attrs={"autocomplete": "email"})
    )

    def save(self) -> None:
        """Mail a link to whoever has this address; for an unknown one nothing happens, and looks the same."""
        email = normalize_email(self.cleaned_data["email"])
        if user := User.objects.select_related("contact").filter(email=email).first():
            Link.objects.mail_to(user, purpose=Purpose.RESET)


class StaffProfileForm(forms.ModelForm[User]):
    """What members of staff may change about themselves."""

    class Meta:
        model = User
        fields: ClassVar[list[str]] = ["name", "language"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["language"] = language_field()
        self.fields["language"].initial = self.instance.language

    def save(self, commit: bool = True) -> User:
        """Write the two fields alone."""
        self.instance.save(update_fields=self._meta.fields)
        return self.instance


class ProfileForm(forms.ModelForm[Contact]):
    """What people may change about themselves."""

    class Meta:
        model = Contact
        fields: ClassVar[list[str]] = ["name", "language"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["language"] = language_field()

    def save(self, commit: bool = True) -> Contact:
        contact = Contact.objects.get(pk=self.instance.pk)
        contact.change(**{name: self.cleaned_data[name] for name in self.Meta.fields})
        return contact
