"""The app of who may see what."""

from django.apps import AppConfig


class EnrollmentsConfig(AppConfig):
    """Registers the filters, the bulk actions, the reasons and the long jobs of access."""

    name = "enrollments"

    def ready(self) -> None:
        from enrollments import (  # noqa: F401 -- models must be ready
            bulk,
            explanation,
            filters,
            jobs,
            lesson_reasons,
            moving,
            ways,
        )
