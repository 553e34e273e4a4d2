"""The nouns of people, one file each."""

from accounts.models.bulk import BulkRow, BulkRun
from accounts.models.contact import Contact, Tag
from accounts.models.link import Link
from accounts.models.note import Note
from accounts.models.role import Role
from accounts.models.segment import Segment
from accounts.models.session import Session
from accounts.models.simulation import Simulation
from accounts.models.user import User

__all__ = [
    "BulkRow",
    "BulkRun",
    "Contact",
    "Link",
    "Note",
    "Role",
    "Segment",
    "Session",
    "Simulation",
    "Tag",
    "User",
]
