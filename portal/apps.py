"""The app of the house itself."""

from django.apps import AppConfig


class PortalConfig(AppConfig):
    """Registers the system checks."""

    name = "portal"

    def ready(self) -> None:
        from portal import checks  # noqa: F401 -- importing registers them
