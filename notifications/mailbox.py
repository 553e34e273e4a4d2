"""A mailbox in a folder, one .eml a message: where mail goes when no server is named, and its reader's source."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email import message_from_bytes, policy
from email.message import EmailMessage as Parsed
from pathlib import Path
from typing import Any

from django.core.mail import EmailMessage
from django.core.mail.backends.base import BaseEmailBackend
from django.utils.timezone import now


class Mailbox(BaseEmailBackend):
    """Writes each message whole or not at all, under a name that sorts by time."""

    def __init__(self, *args: Any, folder: Path, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.folder = Path(folder)

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        self.folder.mkdir(parents=True, exist_ok=True)
        for message in email_messages:
            name = f"{now():%Y%m%dT%H%M%S%f}-{uuid.uuid4().hex[:8]}.eml"
            part = self.folder / f"{name}.part"  # no reader looks for that
            part.write_bytes(message.message().as_bytes())
            part.replace(self.folder / name)
        return len(email_messages)


@dataclass(frozen=True)
class Mail:
    """One caught message, as its reader shows it."""

    name: str
    subject: str
    to: str
    sent_at: datetime
    text: str
    html: str


def read(path: Path) -> Mail:
    """The message in an .eml file of ours."""
    parsed = message_from_bytes(path.read_bytes(), _class=Parsed, policy=policy.default)

    def part(kind: str) -> str:
        body = parsed.get_body((kind,))
        return str(body.get_content()) if body else ""

    return Mail(
        name=path.stem,
        subject=str(parsed["Subject"]),
        to=str(parsed["To"]),
        sent_at=parsed["Date"].datetime,
        text=part("plain"),
        html=part("html"),
    )


def latest(folder: Path, *, limit: int) -> list[Mail]:
    """The newest messages first."""
    paths = sorted(folder.glob("*.eml"), reverse=True) if folder.exists() else []
    return [read(path) for path in paths[:limit]]
