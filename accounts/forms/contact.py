"""What staff may ask about a contact: registration data, tags, notes, why somebody is blocked."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any, ClassVar

from django import forms
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models.functions import Lower
from django.http import QueryDict
from django.utils.timezone import now
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.forms.profile import CONSENTS, consents, language_field
from accounts.models import Contact, Note, Segment, Tag, User
from accounts.models.contact import normalize_email


def spelled(names: Iterable[str]) -> list[str]:
    """These tags, one line each; so that case makes no second tag, as the one is written that is known or came first."""
    typed = [line for name in names if (line := " ".join(name.split()))]
    alike = Tag.objects.annotate(lower=Lower("name")).filter(
        lower__in=[name.lower() for name in typed]
    )
    known = set(alike.values_list("name", flat=True))
    written = {name.lower(): name for name in known}
    return [name if name in known else written.setdefault(name.lower(), name) for name in typed]


class TagField(forms.CharField):
    """One tag, new or known."""

    default_error_messages = {"max_length": gettext_lazy("A tag has 60 characters at most.")}

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=60, **kwargs)

    def clean(self, value: Any) -> str:
        [tag] = spelled([super().clean(value)]) or [""]
        if "," in tag:
            raise ValidationError(_("A tag has no comma: add one tag at a time."))
        return tag


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
                self.fields["email"].disabled = self.fields["name"].disabled = True
                self.fields["email"].help_text = _("Of staff, who log in with it.")
                self.fields["name"].help_text = _("Of staff, who change it in their profile.")
                self.fields["name"].required = False
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
        names = spelled(self.cleaned_data["tag_names"].split(","))
        if any(len(name) > 60 for name in names):
            raise ValidationError(_("A tag has 60 characters at most."))
        return sorted(set(names))

    @transaction.atomic
    def save(self, commit: bool = True) -> Contact:
        """Make the contact, or change what differs."""
        fields = {name: self.cleaned_data[name] for name in self.Meta.fields}
        if self.instance.pk:
            contact = Contact.objects.get(pk=self.instance.pk)
            contact.change_email(fields.pop("email"))
        else:
            contact = Contact.objects.add(**fields)
            fields = {}
        contact.change(**fields, **consents(contact, self.cleaned_data))
        contact.tag(self.cleaned_data["tag_names"])
        return contact


class TagForm(forms.Form):
    """One tag to put on a contact, or to take off."""

    add = TagField(required=False)
    remove = forms.CharField(max_length=60, required=False)

    def __init__(self, data: QueryDict, *, contact: Contact) -> None:
        super().__init__(data)
        self.contact = contact

    def clean(self) -> dict[str, Any]:
        words = super().clean() or self.cleaned_data
        if not (self.errors or words["add"] or words["remove"]):
            raise ValidationError(_("A tag has 60 characters at most, and one at least."))
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
