"""What our commands share: who acts, and how they refuse."""

from __future__ import annotations

import uuid
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import ProgrammingError
from django.utils import timezone, translation
from psycopg.errors import UndefinedColumn, UndefinedTable

from portal import context
from portal.models import School


class PortalCommand(BaseCommand):
    """A command that acts as nobody, under one cause, at the school's hour.

    Exit codes: 0 done, 1 refused or partly failed (one sentence on stderr), 2 wrong usage.
    """

    def execute(self, *args: Any, **options: Any) -> str | None:
        with context.acting(cause=f"command:{uuid.uuid4().hex}"):
            try:
                return super().execute(*args, **options)
            except ProgrammingError as error:
                if isinstance(error.__cause__, UndefinedTable | UndefinedColumn):
                    raise refuse(
                        "The database is not of this version yet: run manage.py migrate (or demo) first."
                    ) from error
                raise

    def localize(self) -> School:
        """Tell the school's time, in English: what a shell prints, programs read."""
        school = School.current()
        timezone.activate(school.zone)
        translation.activate("en")
        return school


def refuse(sentence: str) -> CommandError:
    """The error that ends a command with code 1 and this sentence."""
    return CommandError(sentence, returncode=1)
