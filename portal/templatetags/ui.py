"""Tags and filters of the design system: the components that need Python.

Everything else is a file in templates/components. The style guide shows them all.
"""

from django import template

from portal.ui import boxes, links, numbers, people, states, times

register = template.Library()
for part in (boxes, links, numbers, people, states, times):
    register.tags |= part.register.tags
    register.filters |= part.register.filters
