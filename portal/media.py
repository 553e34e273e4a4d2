"""What a file is, by its own bytes: which of them a browser may be shown, and pictures made anew."""

from __future__ import annotations

import io
import re
from typing import IO

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from PIL import Image, ImageCms, ImageOps

from portal.models import FileKind

HEAD = 4096  # bytes that tell what a file is
PIXELS = 50_000_000  # of a picture, before anything of it is decoded
QUALITY = 82
WEBP = "image/webp"
ANYTHING = "application/octet-stream"

# What the browser's dialog offers first. A convenience: nothing is believed because of it.
ACCEPT = {
    FileKind.IMAGE: "image/png,image/jpeg,image/webp,image/gif",
    FileKind.VIDEO: "video/mp4,video/webm,video/quicktime,.mp4,.m4v,.webm,.mov",
    FileKind.AUDIO: "audio/*,.mp3,.m4a,.aac,.ogg,.opus,.wav,.flac",
    FileKind.CAPTIONS: "text/vtt,.vtt",
    FileKind.DOCUMENT: "",
}
TYPES = {
    FileKind.IMAGE: gettext_lazy("PNG, JPEG, WebP or GIF."),
    FileKind.VIDEO: gettext_lazy("MP4, WebM or MOV."),
    FileKind.AUDIO: gettext_lazy("MP3, M4A, AAC, Ogg, WAV or FLAC."),
    FileKind.CAPTIONS: gettext_lazy("WebVTT (.vtt)."),
    FileKind.DOCUMENT: gettext_lazy("Any file; people download it."),
}

# How what browsers play begins. QuickTime is sent as MP4: they read both with the same code, and know
# only the one by name. Matroska that is not WebM is played by too few.
BEGINNINGS = [
    (re.compile(begins, re.DOTALL), found)
    for begins, found in (
        (rb"\0\0..ftypM4[AB]", "audio/mp4"),
        (rb"\0\0..ftyp", "video/mp4"),
        (rb"\x1a\x45\xdf\xa3.{0,64}\x42\x82.webm", "video/webm"),
        (rb"OggS\0", "audio/ogg"),
        (rb"RIFF....WAVE", "audio/wav"),
        (rb"fLaC", "audio/flac"),
        (rb"ID3[\x02-\x04]", "audio/mpeg"),
        (rb"\xff[\xe2\xe3\xf2\xf3\xfa\xfb][\x00-\xef]", "audio/mpeg"),  # a frame of layer III
        (rb"\xff[\xf0\xf1\xf8\xf9]", "audio/aac"),  # a frame of ADTS
    )
]


class Refused(Exception):
    """A file is not what it was to be; in the words of its message, what to do instead."""


def content_type(file: IO[bytes], *, kind: FileKind) -> str:
    """The type to send `file` with, which is of `kind`. Raises Refused if it is not.

    What is only downloaded may be anything, and is sent as such. Images are re-encoded instead.
    """
    file.seek(0)
    head = file.read(HEAD)
    if kind == FileKind.DOCUMENT:
        return ANYTHING
    if kind == FileKind.CAPTIONS:
        return _captions(head + file.read())
    found = _played(head)
    if kind == FileKind.AUDIO and found in {"video/mp4", "video/webm"}:
        found = found.replace("video/", "audio/")  # the same boxes, with or without a picture
    if not found.startswith(f"{kind}/"):
        sentence = (
            _("This is no video that browsers play. Choose an MP4, WebM or MOV file.")
            if kind == FileKind.VIDEO
            else _("This is no audio that browsers play. Choose an MP3, M4A, Ogg or WAV file.")
        )
        raise Refused(sentence)
    return found


def _played(head: bytes) -> str:
    """The type of a video or audio file by its first bytes; blank for anything else."""
    return next((found for begins, found in BEGINNINGS if begins.match(head)), "")


def _captions(content: bytes) -> str:
    """WebVTT begins with its name. https://www.w3.org/TR/webvtt1/#file-structure"""
    refused = Refused(_("These are no captions in WebVTT, a text that begins with “WEBVTT”."))
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise refused from None
    if "\0" in text or text[:6] != "WEBVTT" or text[6:7].strip():
        raise refused
    return "text/vtt"


def reencode(file: IO[bytes], *, longest_side: int) -> bytes:
    """The picture in `file` as WebP, upright, `longest_side` pixels at most, and with nothing else of the file.

    The first frame, if it moves. Raises Refused where there is no picture, or more pixels than anybody needs.
    """
    try:
        file.seek(0)
        with Image.open(file, formats=("PNG", "JPEG", "WEBP", "GIF")) as image:
            is_large = image.width * image.height > PIXELS
            if not is_large:
                image.draft("RGB", (longest_side, longest_side))  # JPEG decodes itself smaller
                return _as_webp(image, longest_side=longest_side)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        is_large = True
    except Exception:  # whatever a decoder stumbles over, it is no picture to us
        is_large = False
    if is_large:
        sentence = _("The picture has more than %(most)d megapixels. Make it smaller.")
        raise Refused(sentence % {"most": PIXELS // 1_000_000})
    raise Refused(_("This is no picture we can read. Choose a PNG, JPEG, WebP or GIF file."))


def _as_webp(image: Image.Image, *, longest_side: int) -> bytes:
    """The pixels alone: Pillow writes nothing into a WebP that it is not told to."""
    profile = image.info.get("icc_profile")
    upright = ImageOps.exif_transpose(image)
    mode = "RGBA" if upright.has_transparency_data else "RGB"
    plain = upright.convert(mode)
    plain.thumbnail((longest_side, longest_side))
    if profile and image.mode in {"RGB", "RGBA"}:
        plain = _in_srgb(plain, profile)
    out = io.BytesIO()
    plain.save(out, "WEBP", quality=QUALITY)
    return out.getvalue()


def _in_srgb(image: Image.Image, profile: bytes) -> Image.Image:
    """The same colors with no profile, which would be thrown away with all the rest."""
    try:
        found = ImageCms.profileToProfile(
            image,
            ImageCms.ImageCmsProfile(io.BytesIO(profile)),
            ImageCms.createProfile("sRGB"),
        )
    except (ImageCms.PyCMSError, OSError):
        return image  # a profile nobody can read: the plain numbers are the best guess
    return found or image
