"""What a browser calls itself, in words: "Firefox on Linux"."""

from __future__ import annotations

import re

from django.utils.translation import gettext as _

# (what is in the text, what people call it): the first that fits. Chrome's own word stands in most
# of the others, Safari's in nearly all.
BROWSERS = (
    (r"\bEdg(e|A|iOS)?/", "Edge"),
    (r"\b(OPR|OPX|OPT|Opera)/", "Opera"),
    (r"\bSamsungBrowser/", "Samsung Internet"),
    (r"\bVivaldi/", "Vivaldi"),
    (r"\bYaBrowser/", "Yandex Browser"),
    (r"\b(Firefox|FxiOS)/", "Firefox"),
    (r"\b(Chrome|CriOS|Chromium|HeadlessChrome)/", "Chrome"),
    (r"\bVersion/[\d.]+.* Safari/", "Safari"),
)
# Android says Linux too, an iPad and an iPhone say Mac OS X.
SYSTEMS = (
    (r"\bWindows\b", "Windows"),
    (r"\biPhone\b", "iPhone"),
    (r"\biPad\b", "iPad"),
    (r"\bAndroid\b", "Android"),
    (r"\bCrOS\b", "ChromeOS"),
    (r"\b(Macintosh|Mac OS X)\b", "macOS"),
    (r"\b(Linux|X11)\b", "Linux"),
)
LONGEST = 60  # characters of a text that nobody knows


def say(agent: str) -> str:
    """`agent`, a User-Agent header, in words; as it is where we do not know it."""
    browser, system = _first(BROWSERS, agent), _first(SYSTEMS, agent)
    if browser and system:
        return _("%(browser)s on %(system)s") % {"browser": browser, "system": system}
    if len(agent) > LONGEST:
        return f"{agent[:LONGEST]}…"
    return browser or agent or _("Unknown browser")


def _first(known: tuple[tuple[str, str], ...], agent: str) -> str:
    return next((name for pattern, name in known if re.search(pattern, agent)), "")
