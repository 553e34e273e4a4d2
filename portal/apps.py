"""The app of the house itself."""

from django.apps import AppConfig


class PortalConfig(AppConfig):
    """Registers the system checks, the lookups and the sweep."""

    name = "portal"

    def ready(self) -> None:
        from portal import checks, lookups, sweep  # noqa: F401 -- importing registers them
