"""What allauth asks us: who may try to log in how often, where to after it, how a password is set."""

from __future__ import annotations

from typing import Any, cast

from allauth.account.adapter import DefaultAccountAdapter
from allauth.core import context as allauth
from allauth.core.exceptions import ImmediateHttpResponse
from django.contrib.auth.base_user import AbstractBaseUser
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from accounts import attempts, cookies
from accounts.http import own_page
from accounts.models import Session, User
from accounts.models.contact import normalize_email
from portal.context import client_address
from portal.models import School

EPOCH = "epoch"  # of the session: their auth_epoch when they began to log in


class Adapter(DefaultAccountAdapter):
    """allauth's defaults, where they are not ours to decide."""

    error_messages = DefaultAccountAdapter.error_messages | {
        "email_password_mismatch": _(
            "The address or the password is not right. Try again, or let us mail you a link."
        )
    }

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def get_login_redirect_url(self, request: HttpRequest) -> str:
        """Staff to the dashboard, students to their home."""
        user = request.user
        if isinstance(user, User) and user.is_staff:
            return reverse("portal:dashboard")
        return reverse("portal:home")

    def is_safe_url(self, url: str) -> bool:
        """Whether `next` may lead there: within the portal, to a path."""
        return bool(own_page(url))

    def pre_authenticate(self, request: HttpRequest, **credentials: Any) -> None:
        """Count the attempt before the password is looked at. Raises TooMany. (In place of allauth's own limit.)"""
        attempts.begin(request, normalize_email(credentials.get("email", "")))

    def authenticate(self, request: HttpRequest, **credentials: Any) -> AbstractBaseUser | None:
        """The person whose password this is."""
        user: AbstractBaseUser | None = super().authenticate(request, **credentials)
        if user is not None:
            attempts.succeed(request, normalize_email(credentials.get("email", "")))
        return user

    def authentication_failed(self, request: HttpRequest, **credentials: Any) -> None:
        attempts.fail(normalize_email(credentials.get("email", "")))

    def pre_login(
        self, request: HttpRequest, user: AbstractBaseUser, **how: Any
    ) -> HttpResponse | None:
        """They gave a password or a link; what else they are asked for may take minutes."""
        request.session[EPOCH] = cast(User, user).auth_epoch
        response: HttpResponse | None = super().pre_login(request, user, **how)
        return response

    def login(self, request: HttpRequest, user: AbstractBaseUser) -> None:
        """All was asked. Who was shut out or chose another password meanwhile begins anew."""
        person = cast(User, user)
        if person.is_blocked or request.session.pop(EPOCH, None) != person.auth_epoch:
            raise ImmediateHttpResponse(redirect("account_login"))
        super().login(request, user)

    def post_login(self, request: HttpRequest, user: AbstractBaseUser, **how: Any) -> HttpResponse:
        """They are in: their browser is known from now on, and a student's oldest one may be one too many."""
        response: HttpResponse = super().post_login(request, user, **how)
        person = cast(User, user)
        cookies.note_login(request, response, person)
        most = School.current().max_sessions
        if most and not person.is_staff:
            request.session.save()  # so that it counts
            Session.keep_newest(person, number=most)
        return response

    def get_client_ip(self, request: HttpRequest) -> str:
        """The address our own log sees. Without any, all such requests share one limit."""
        return client_address(request) or "0.0.0.0"  # noqa: S104 -- stands for nobody

    def set_password(self, user: AbstractBaseUser, password: str) -> None:
        """Through our own verb, which ends other sessions and has the person told."""
        if not isinstance(user, User):
            raise TypeError(user)
        user.change_password(password)

    def is_reauthentication_required(self, *, app: str, **kwargs: object) -> bool:
        """As fresh_login_required() says: unlike allauth's own measure, a login of just now counts."""
        return not allauth.request.session.is_fresh

    def send_mail(self, template_prefix: str, email: str, context: dict[str, object]) -> None:
        """Allauth sends nothing: our mails go through the message log."""
        raise RuntimeError(f"allauth wanted to send {template_prefix}")
