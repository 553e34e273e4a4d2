"""Pages of other services in a lesson: which we embed, and the address that goes into the frame."""

from __future__ import annotations

import re
from dataclasses import dataclass

from django.core.exceptions import ValidationError
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

KEY = r"([\w-]+)"


@dataclass(frozen=True)
class Service:
    """A service we embed. Its address is made anew from what `pattern` finds: nothing else is kept.

    `frame` must lie on a host of settings.FRAME_SOURCES; `shape` is for people, to know the address by.
    """

    name: str
    pattern: str
    frame: str
    shape: str


SERVICES = [
    # support.google.com/docs/answer/183965: File, Share, Publish to web, Embed.
    Service(
        "Google Docs",
        rf"https://docs\.google\.com/document/d/e/{KEY}/pub(?:html)?",
        "https://docs.google.com/document/d/e/{}/pub?embedded=true",
        "docs.google.com/document/d/e/…/pub",
    ),
    Service(
        "Google Slides",
        rf"https://docs\.google\.com/presentation/d/e/{KEY}/(?:pub|embed|pubembed)",
        "https://docs.google.com/presentation/d/e/{}/pubembed",
        "docs.google.com/presentation/d/e/…/pub",
    ),
    Service(
        "Google Sheets",
        rf"https://docs\.google\.com/spreadsheets/d/e/{KEY}/pub(?:html)?",
        "https://docs.google.com/spreadsheets/d/e/{}/pubhtml?widget=true&headers=false",
        "docs.google.com/spreadsheets/d/e/…/pubhtml",
    ),
    # support.google.com/docs/answer/2839588: Send, Embed HTML.
    Service(
        "Google Forms",
        rf"https://docs\.google\.com/forms/d/e/{KEY}/viewform",
        "https://docs.google.com/forms/d/e/{}/viewform?embedded=true",
        "docs.google.com/forms/d/e/…/viewform",
    ),
    # github.com/Typeform/embed: the form's public address, of any account.
    Service(
        "Typeform",
        r"https://([a-z0-9-]+)\.typeform\.com/to/(\w+)",
        "https://{}.typeform.com/to/{}",
        "….typeform.com/to/…",
    ),
    # developers.figma.com/docs/embeds/resources
    Service(
        "Figma",
        r"https://(?:www\.|embed\.)?figma\.com/(design|board|proto|slides|deck)/([0-9a-zA-Z]{22,128})(?:/[^?#]*)?",
        "https://embed.figma.com/{}/{}?embed-host=portal",
        "figma.com/design/…",
    ),
    # canva.dev/blog/engineering/how-canva-makes-content-embeddable-and-why-you-should-too
    Service(
        "Canva",
        r"https://www\.canva\.com/design/([\w-]+(?:/[\w-]+)?)/(?:view|watch)",
        "https://www.canva.com/design/{}/view?embed",
        "canva.com/design/…/view",
    ),
    # npmjs.com/package/@loomhq/loom-embed
    Service(
        "Loom",
        r"https://(?:www\.)?loom\.com/(?:share|embed)/([0-9a-f]{32})",
        "https://www.loom.com/embed/{}",
        "loom.com/share/…",
    ),
    # developers.soundcloud.com/docs/api/html5-widget
    Service(
        "SoundCloud",
        rf"https://(?:www\.|m\.)?soundcloud\.com/{KEY}/((?:sets/)?[\w-]+)",
        "https://w.soundcloud.com/player/?url=https%3A//soundcloud.com/{}/{}",
        "soundcloud.com/…/…",
    ),
    # developer.spotify.com/documentation/embeds/tutorials/using-the-oembed-api
    Service(
        "Spotify",
        r"https://open\.spotify\.com/(?:intl-\w+/)?(?:embed/)?(track|album|playlist|episode|show|artist)/(\w+)",
        "https://open.spotify.com/embed/{}/{}",
        "open.spotify.com/episode/…",
    ),
    # blog.codepen.io/documentation/embedded-pens
    Service(
        "CodePen",
        rf"https://codepen\.io/{KEY}/(?:pen|embed|full|details)/(\w+)",
        "https://codepen.io/{}/embed/{}?default-tab=result",
        "codepen.io/…/pen/…",
    ),
    # help.genially.com: Share, Embed. Both of its hosts are in use.
    Service(
        "Genially",
        r"https://view\.(?:genially\.com|genial\.ly)/([0-9a-f]{24})(?:/[^?#]*)?",
        "https://view.genially.com/{}",
        "view.genially.com/…",
    ),
]
REST = r"/?(?:[?#]\S*)?"  # who shared it, and where it was opened: not ours to keep


def frame_url(address: str) -> str:
    """The address to put into a frame for what lies at `address`; "" if we do not embed it."""
    for service in SERVICES:
        if found := re.fullmatch(service.pattern + REST, address):
            return service.frame.format(*found.groups())
    return ""


def validate_embed(address: str) -> None:
    """Raise ValidationError for an address of a service we do not embed, or in a form it cannot be embedded in."""
    if not frame_url(address):
        names = ", ".join(service.name for service in SERVICES)
        text = _("This address cannot be embedded. It can be a public address of one of these: %s.")
        raise ValidationError(text % names)


def allowed() -> SafeString:
    """What may be embedded, one service a line, for the help beside the field."""
    rows = ((service.name, service.shape) for service in SERVICES)
    return format_html_join("", "<li>{}: <code>{}</code></li>", rows)
