"""The one authentication backend: allauth's passwords, and nobody who is blocked."""

from __future__ import annotations

from typing import Any

from allauth.account.auth_backends import AuthenticationBackend
from django.contrib.auth.base_user import AbstractBaseUser

from accounts.models import User


class PortalBackend(AuthenticationBackend):
    """Asked on every request, so blocking takes effect on the next one, in pages of libraries too."""

    def get_user(self, user_id: int) -> User | None:
        """The person behind a session, with their contact and has_second_factor; None if they are blocked by now."""
        people = User.objects.with_second_factor().select_related("contact")
        user = people.filter(pk=user_id).first()
        return None if user is None or user.is_blocked else user

    def user_can_authenticate(self, user: Any) -> bool:
        """Asked once the password was checked: whoever is refused here waited as long as anybody."""
        return isinstance(user, User) and not user.is_blocked and not user.is_password_over

    @classmethod
    def _stash_user(cls, user: AbstractBaseUser | None) -> None:
        """Allauth would tell a blocked person so; to us their password is simply not right."""
