"""The app of people."""

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    """Registers filters, bulk actions and jobs, and connects the one signal of Django's that we listen to."""

    name = "accounts"

    def ready(self) -> None:
        from accounts import asking, filters, jobs, signals  # noqa: F401 -- models must be ready
