"""The app of what follows."""

from django.apps import AppConfig


class NotificationsConfig(AppConfig):
    """Connects the table of reactions to the one signal of the event log."""

    name = "notifications"

    def ready(self) -> None:
        from notifications import reactions

        reactions.connect()
