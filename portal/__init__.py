"""The house itself: settings, the URL map, Celery, the event log, the two front pages."""
