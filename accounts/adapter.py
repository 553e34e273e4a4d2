"""What allauth asks us: may strangers sign up (no), where to after login, how a password is set."""

from __future__ import annotations

from allauth.account.adapter import DefaultAccountAdapter
from django.contrib.auth.base_user import AbstractBaseUser
from django.http import HttpRequest
from django.urls import reverse

from accounts.models import User
from portal.context import client_address


class Adapter(DefaultAccountAdapter):
    """allauth's defaults, where they are not ours to decide."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def get_login_redirect_url(self, request: HttpRequest) -> str:
        """Staff to the dashboard, students to their home."""
        user = request.user
        if isinstance(user, User) and user.is_staff:
            return reverse("portal:dashboard")
        return reverse("portal:home")

    def get_client_ip(self, request: HttpRequest) -> str:
        """The address our own log sees. Without any, all such requests share one limit."""
        return client_address(request) or "0.0.0.0"  # noqa: S104 -- stands for nobody

    def set_password(self, user: AbstractBaseUser, password: str) -> None:
        """Through our own verb, which ends other sessions and has the person told."""
        if not isinstance(user, User):
            raise TypeError(user)
        user.change_password(password)

    def send_mail(self, template_prefix: str, email: str, context: dict[str, object]) -> None:
        """Allauth sends nothing: our mails go through the message log."""
        raise RuntimeError(f"allauth wanted to send {template_prefix}")
