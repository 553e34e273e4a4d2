"""The nouns of people, one file each."""

from accounts.models.contact import Contact, Tag
from accounts.models.link import Link
from accounts.models.session import Session
from accounts.models.user import Role, User

__all__ = ["Contact", "Link", "Role", "Session", "Tag", "User"]
