"""The session engine: Django's database sessions, in our table, with the person and the browser beside."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore as DatabaseStore

from portal import context


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
        session.user_id = data.get(SESSION_KEY)
        if self.row is not None and self.row.pk == session.pk:
            session.created_at, session.address, session.agent = (
                self.row.created_at,
                self.row.address,
                self.row.agent,
            )
        else:
            act = context.act()
            session.address = act.address
            session.agent = act.request.headers.get("User-Agent", "")[:300] if act.request else ""
        return session
