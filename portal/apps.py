"""The app of the house itself."""

from django.apps import AppConfig


class PortalConfig(AppConfig):
    """Registers the system checks and the lookups."""

    name = "portal"

    def ready(self) -> None:
        from portal import checks, lookups  # noqa: F401 -- importing registers them
