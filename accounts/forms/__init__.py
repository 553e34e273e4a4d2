"""What may be asked about people, and what is valid: one file per noun."""

from accounts.forms.contact import BlockForm, ContactForm, NoteForm, SegmentForm, TagForm
from accounts.forms.entrance import CodeForm, LoginForm, MailForm, ResetForm
from accounts.forms.links import LinkForm, LinkTermsForm, OnceForm
from accounts.forms.login import EmailForm, NewPasswordForm
from accounts.forms.password import PasswordForm
from accounts.forms.profile import NotificationForm, ProfileForm, StaffProfileForm

__all__ = [
    "BlockForm",
    "CodeForm",
    "ContactForm",
    "EmailForm",
    "LinkForm",
    "LinkTermsForm",
    "LoginForm",
    "MailForm",
    "NewPasswordForm",
    "NoteForm",
    "NotificationForm",
    "OnceForm",
    "PasswordForm",
    "ProfileForm",
    "ResetForm",
    "SegmentForm",
    "StaffProfileForm",
    "TagForm",
]
