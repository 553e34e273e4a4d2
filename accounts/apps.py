"""The app of people."""

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    """Registers filters, bulk actions and jobs, and listens to the libraries that log people in."""

    name = "accounts"

    def ready(self) -> None:
        from accounts import asking, filters, jobs, mfa, signals  # noqa: F401 -- models must be ready
