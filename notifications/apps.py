"""The app of what follows."""

from django.apps import AppConfig


class NotificationsConfig(AppConfig):
    """Connects the table of reactions to the event log, and tells the explanation of access of mails."""

    name = "notifications"

    def ready(self) -> None:
        from notifications import filters, reactions, reasons  # noqa: F401 -- importing registers

        reactions.connect()
