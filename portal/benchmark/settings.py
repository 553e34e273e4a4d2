"""The portal's settings, for the benchmark's processes: their own database, and the page floor."""

from django.core.exceptions import ImproperlyConfigured

from portal.settings import *  # noqa: F403
from portal.settings import DATABASES

if not DATABASES["default"]["NAME"].endswith("_benchmark"):
    raise ImproperlyConfigured("These settings empty their database: run `manage.py benchmark`.")

ROOT_URLCONF = "portal.benchmark.urls"
STAFF_SECOND_FACTOR = False  # its browsers know a password and nothing else
