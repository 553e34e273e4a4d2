"""The app of who may see what."""

from django.apps import AppConfig


class EnrollmentsConfig(AppConfig):
    """Registers the long jobs of access."""

    name = "enrollments"

    def ready(self) -> None:
        from enrollments import jobs  # noqa: F401 -- models must be ready
