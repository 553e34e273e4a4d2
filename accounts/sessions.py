"""The session engine: Django's database sessions, in our table, with the person and the browser beside."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Any

from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore as DatabaseStore

from portal import context

PROVED_AT = "proved_at"
ENTERED_BY = "entered_by"


class SessionStore(DatabaseStore):
    """Keeps what was noted when the session was made, whatever is saved into it later."""

    row: Any = None

    @classmethod
    def get_model_class(cls) -> Any:
        """Our model, which is not ready when Django loads this module."""
        from accounts.models import Session

        return Session

    def _get_session_from_db(self) -> Any:
        self.row = super()._get_session_from_db()  # type: ignore[misc]
        return self.row

    def create_model_instance(self, data: dict[str, Any]) -> Any:
        """The row to save: as Django makes it, plus whose it is and where it began."""
        session: Any = super().create_model_instance(data)
        session.user_id = user_id = int(data[SESSION_KEY]) if SESSION_KEY in data else None
        # Under another key it is the same browser of the same person: its password was changed in it.
        if self.row and (self.row.pk == session.pk or (user_id and self.row.user_id == user_id)):
            for noted in ("created_at", "address", "agent", "seen_at"):
                setattr(session, noted, getattr(self.row, noted))
        else:
            act = context.act()
            session.address = act.address
            session.agent = act.request.headers.get("User-Agent", "")[:300] if act.request else ""
        session.entered_by = data.get(ENTERED_BY, "")
        return session

    def flush(self) -> None:
        """End it: whoever logs in next, the same person even, begins another."""
        super().flush()
        self.row = None

    def note_use(self, *, at: datetime) -> None:
        """Write down that it is used, unless that is known to the minute or so."""
        if self.row is not None:
            self.row.note_use(at=at)

    def note_way(self, way: str) -> None:
        """By which way somebody is coming in, one of Entered. The stages of logging in keep it."""
        self[ENTERED_BY] = str(way)

    @property
    def way(self) -> str:
        """By which way they came in; "" if nobody noted it."""
        return str(self.get(ENTERED_BY, ""))

    def note_proof(self) -> None:
        """Somebody just proved who they are: they logged in, or gave their password once more."""
        self[PROVED_AT] = time.time()

    @property
    def is_fresh(self) -> bool:
        """Whether that was a few minutes ago at most."""
        return time.time() - float(self.get(PROVED_AT, 0)) < settings.FRESH_LOGIN_SECONDS
