"""The line to the mail server. Where many mails follow each other it stays open: connecting takes longer than sending."""

from __future__ import annotations

import smtplib
import threading
import time
from contextlib import suppress

from django.core.mail import EmailMessage, mailers
from django.core.mail.backends.base import BaseEmailBackend

IDLE = 5.0  # seconds after which servers may have hung up
MOST = 50  # mails, for some servers take no more over one line


class Line(threading.local):
    """Each thread has its own. What it leaves open in the end the mail server closes."""

    mailer: BaseEmailBackend | None = None
    sent = 0
    used_at = 0.0

    def send(self, mail: EmailMessage) -> None:
        """Send it over the open line, or a new one. After an error, which is raised, the next mail has a new one."""
        if self.sent >= MOST or time.monotonic() - self.used_at > IDLE or not self._answers():
            self.close()
        if self.mailer is None:
            mailer = mailers.default
            mailer.open()
            self.mailer, self.sent = mailer, 0
        try:
            self.mailer.send_messages([mail])
        except BaseException:
            self.close()
            raise
        self.sent, self.used_at = self.sent + 1, time.monotonic()

    def _answers(self) -> bool:
        """Whether the other side still listens, as far as one can ask: it may hang up after any mail.

        Asked before the mail, for a mail that failed on its way may have arrived.
        """
        connection = getattr(self.mailer, "connection", None)
        if not isinstance(connection, smtplib.SMTP):
            return True
        try:
            code, _text = connection.noop()
        except (OSError, smtplib.SMTPException):
            return False
        return code == 250

    def close(self) -> None:
        """Hang up, unless the other side did. Closing twice is harmless."""
        mailer, self.mailer = self.mailer, None
        if mailer is not None:
            with suppress(Exception):
                mailer.close()


line = Line()
