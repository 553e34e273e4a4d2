"""Every e-mail leaves here: queue_mail() writes the row, deliver() composes and sends it."""

from __future__ import annotations

import logging
import re
import smtplib
from collections.abc import Iterable
from email.utils import formataddr
from urllib.parse import urlsplit

from anymail.exceptions import AnymailError, AnymailRecipientsRefused
from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.db import transaction
from django.template.loader import render_to_string
from django.utils import timezone, translation

from notifications.letters import LETTERS, OF_LOGIN, TO_SCHOOL, NotNow
from notifications.line import line
from notifications.models import Kind, Message, State
from portal import context
from portal.logs import scrub
from portal.models import School
from portal.waiting import MAX_ATTEMPTS

logger = logging.getLogger(__name__)


class Mail(EmailMultiAlternatives):
    """A mail to be sent, and its text as we keep it."""

    archived = ""


def queue_mail(messages: Iterable[Message]) -> None:
    """Write the rows; those whose key is known are owed already and stay as they are.

    Workers hear of the due ones after the commit.
    """
    rows = list(messages)
    Message.objects.bulk_create(rows, ignore_conflicts=True)
    keys = [row.key for row in rows if row.state == State.WAITING]
    if keys:
        transaction.on_commit(Message.objects.filter(key__in=keys).hand_over, robust=True)


def deliver(pk: int) -> None:
    """Claim, commit, send, mark. A second caller finds nothing to do.

    No transaction is open while the mail server is spoken to. Killed between sending and
    marking, the next attempt sends the same mail again: same links, same Message-ID.
    """
    message = Message.objects.select_related("user", "contact__user").claim(pk)
    if message is None:
        return
    with context.acting(cause=message.cause, depth=1):
        try:
            _send(message)
        except NotNow as answer:
            message.end(answer.state, reason=answer.reason)
        except (
            smtplib.SMTPRecipientsRefused,
            smtplib.SMTPDataError,
            AnymailRecipientsRefused,
        ) as error:
            _refused(message, error)
        except (OSError, smtplib.SMTPException, AnymailError) as error:
            logger.warning("%s was not sent: %s", message, error)
            message.fail(f"{type(error).__name__}: {error}")
        except Exception as error:
            # Whatever it is, the row must say so and come again; the worker goes on with the next.
            logger.exception("%s was not sent", message)
            message.fail(f"{type(error).__name__}: {error}")


def _send(message: Message) -> None:
    if message.attempts > MAX_ATTEMPTS:  # its senders were killed each time
        message.end(State.DEAD, error=message.last_error)
        return
    mail = compose(message)
    if message.cause.startswith(("bulk:", "import:")):  # one of many
        line.send(mail)
    else:
        mail.send()
    message.mark_sent(address=mail.to[0], subject=str(mail.subject), body=mail.archived)


def _refused(message: Message, error: Exception) -> None:
    """A 5xx is final; a 4xx asks us to come again."""
    codes = [550]
    if isinstance(error, smtplib.SMTPDataError):
        codes = [error.smtp_code]
    elif isinstance(error, smtplib.SMTPRecipientsRefused):
        codes = [code for code, _text in error.recipients.values()]
    if min(codes) >= 500:
        message.end(State.FAILED, reason="refused", error=str(error))
    else:
        message.fail(str(error))


def compose(message: Message) -> Mail:
    """The mail as it goes out now, in the reader's language. Raises NotNow if it must not."""
    school, person = School.current(), message.recipient
    if _is_shut_out(message):
        raise NotNow(State.CANCELED, "blocked")
    language = (message.kind not in TO_SCHOOL and _language(message)) or school.language
    with translation.override(language), timezone.override(school.zone):
        letter = LETTERS[Kind(message.kind)](message)
        words = {
            "school": school,
            "person": person,
            "portal_url": settings.PORTAL_URL,
            **letter.words,
            **letter.secrets,
        }
        subject, text, html = (
            render_to_string(f"emails/{letter.template}/{part}", words)
            for part in ("subject.txt", "body.txt", "body.html")
        )
        kept = text
        if letter.secrets:
            words |= dict.fromkeys(letter.secrets, "[hidden]")
            kept = render_to_string(f"emails/{letter.template}/body.txt", words)
    mail = Mail(
        subject=" ".join(subject.split()),
        body=_tidy(text),
        from_email=formataddr((school.name, settings.DEFAULT_FROM_EMAIL)),
        to=[message.address or person.email],
        headers={"Message-ID": f"<{message.header_id}@{urlsplit(settings.PORTAL_URL).hostname}>"},
        reply_to=[school.support_email] if school.support_email else None,
    )
    mail.attach_alternative(html, "text/html")
    mail.archived = scrub(_tidy(kept))
    return mail


def _language(message: Message) -> str:
    """What its reader reads in the portal, too; of a contact without a login, the contact's. Blank: the school's."""
    contact = message.contact
    login = contact.login if contact else message.user
    if login is not None:
        return login.reads
    return contact.language if contact else ""


def _is_shut_out(message: Message) -> bool:
    """Whether it would go to somebody who is blocked. Of their login staff are told all the same."""
    contact = message.contact
    if contact is None or message.kind in TO_SCHOOL:
        return False
    login = contact.login if message.kind in OF_LOGIN else None
    return login.is_blocked if login else contact.is_blocked


def _tidy(text: str) -> str:
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"
