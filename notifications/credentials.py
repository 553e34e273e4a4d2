"""Passwords that go out by mail. Hashed when the mail is sent, by whoever sends it; told to nobody else."""

from __future__ import annotations

import logging
from datetime import timedelta

from django.db import transaction
from django.utils.timezone import now

from accounts import passwords
from accounts.models import User
from notifications.models import Message
from portal.models import Credentials, School
from portal.sealing import Unreadable, unseal

logger = logging.getLogger(__name__)


def temporary(message: Message, user: User) -> str:
    """The temporary password staff asked for; "" if the person was given or chose another since."""
    if user.auth_epoch != message.data["epoch"]:
        return ""
    return _hand_out(_derived(message, user), message=message, user=user)


def first(message: Message, user: User) -> str:
    """What the school's welcome mail carries as a password; "" where it carries a link, or they just came in."""
    school = School.current()
    password = ""
    if school.credentials == Credentials.PROVISIONAL:
        password = _derived(message, user)
    elif school.credentials == Credentials.DEFAULT:
        password = default_password(school)
    return _hand_out(password, message=message, user=user) if password else ""


def default_password(school: School) -> str:
    """The default password for new members; "" if there is none, or the key it was sealed with is gone."""
    if not school.default_password:
        return ""
    try:
        return unseal(school.default_password, purpose="default_password")
    except Unreadable:
        logger.error("The default password cannot be read: enter it once more in the settings.")  # noqa: TRY400 -- the reason says it all
        return ""


def _derived(message: Message, user: User) -> str:
    """Drawn from the message: it is what may be sent twice, and its random id is there already."""
    return passwords.derive(message.header_id.bytes, email=user.email)


def _hand_out(password: str, *, message: Message, user: User) -> str:
    """Make it the password they log in with for some hours, and as long again when the mail is tried again.

    Returns it; "" if they came in or chose their own first.
    """
    until = now() + timedelta(hours=School.current().temporary_hours)
    is_ours = message.data.get("is_set") and message.data["epoch"] == user.auth_epoch
    if is_ours and user.check_password(password):  # or else the default is another one by now
        return password if user.keep_temporary_password(until=until) else ""
    with transaction.atomic():
        if not user.set_temporary_password(password, until=until):
            return ""
        message.data |= {"epoch": user.auth_epoch, "is_set": True}
        message.save(update_fields=["data"])
    return password
