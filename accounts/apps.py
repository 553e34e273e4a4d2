"""The app of people."""

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    """Connects the one signal of Django's that we listen to."""

    name = "accounts"

    def ready(self) -> None:
        from accounts import signals  # noqa: F401 -- models must be ready
