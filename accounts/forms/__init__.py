"""What may be asked about people, and what is valid: one file per noun."""

from accounts.forms.contact import BlockForm, ContactForm, NoteForm, SegmentForm, TagForm
from accounts.forms.login import EmailForm, LinkForm, NewPasswordForm, ResetForm
from accounts.forms.profile import NotificationForm, ProfileForm, StaffProfileForm

__all__ = [
    "BlockForm",
    "ContactForm",
    "EmailForm",
    "LinkForm",
    "NewPasswordForm",
    "NoteForm",
    "NotificationForm",
    "ProfileForm",
    "ResetForm",
    "SegmentForm",
    "StaffProfileForm",
    "TagForm",
]
