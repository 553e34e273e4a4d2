"""Video addresses: which services we embed, and the address of their player."""

import re

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

# Sources: developers.google.com/youtube/player_parameters, help.vimeo.com "Embed a video"
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
]
REST = r"(?:[?&#][\w=&%.,:+-]*)?"  # a time, a playlist: not ours to keep


def player_url(address: str) -> str:
    """The address to put into a frame for the video at `address`; "" if we do not embed it."""
    for pattern, player in PLAYERS:
        if found := re.fullmatch(pattern + REST, address):
            return player.format(*found.groups())
    return ""


def validate_video(address: str) -> None:
    """Raise ValidationError for an address we have no player for."""
    if not player_url(address):
        raise ValidationError(_("Enter the address of a video on YouTube or Vimeo."))
