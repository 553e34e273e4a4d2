"""Video addresses: which services we embed, and the address of their player."""

import re

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

# Sources: developers.google.com/youtube/player_parameters, help.vimeo.com "Embed a video",
# docs.bunny.net/stream/embedding. Their hosts stand in settings.FRAME_SOURCES, too.
PLAYERS = [
    (
        r"https?://(?:www\.|m\.)?youtube\.com/(?:watch\?(?:\S*&)?v=|shorts/|embed/|live/)([\w-]{11})",
        "https://www.youtube-nocookie.com/embed/{}",
    ),
    (r"https?://youtu\.be/([\w-]{11})", "https://www.youtube-nocookie.com/embed/{}"),
    (  # an unlisted video has a second key
        r"https?://vimeo\.com/(\d+)/(\w+)",
        "https://player.vimeo.com/video/{}?h={}",
    ),
    (
        r"https?://(?:www\.|player\.)?vimeo\.com/(?:video/)?(\d+)",
        "https://player.vimeo.com/video/{}",
    ),
    (  # a library is on the old player or on the new one, each with a host of its own
        r"https?://(iframe|player)\.mediadelivery\.net/(?:embed|play)/(\d+)/([0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})",
        "https://{}.mediadelivery.net/embed/{}/{}",
    ),
]
REST = r"/?(?:[?&#][\w=&%.,:+-]*)?"  # a time, a playlist: not ours to keep


def player_url(address: str) -> str:
    """The address to put into a frame for the video at `address`; "" if we do not embed it."""
    for pattern, player in PLAYERS:
        if found := re.fullmatch(pattern + REST, address):
            return player.format(*found.groups())
    return ""


def validate_video(address: str) -> None:
    """Raise ValidationError for an address we have no player for."""
    if not player_url(address):
        raise ValidationError(_("Enter the address of a video on YouTube, Vimeo or Bunny."))
