"""The design system's tags and filters: the components that need Python. {% load ui %} brings them all."""

from django.utils.functional import Promise

type Text = str | Promise

NOTHING = "—"
