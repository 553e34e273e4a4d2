"""Uploads: known by what is in them, bounded, made anew where a browser will show them."""

from __future__ import annotations

import io
import zlib
from pathlib import Path

import pytest
from django import forms
from django.core.files.base import ContentFile
from django.core.files.uploadedfile import SimpleUploadedFile, TemporaryUploadedFile
from django.core.files.uploadhandler import TemporaryFileUploadHandler
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import translation
from PIL import Image, ImageCms

from portal import uploads
from portal.models import File, FileKind
from portal.uploads import CLEAR, UploadField

pytestmark = pytest.mark.django_db

MP4 = b"\0\0\0\x20ftypisom\0\0\2\0isomiso2avc1mp41" + b"\0" * 40
MOV = b"\0\0\0\x14ftypqt  \0\0\2\0qt  " + b"\0" * 40
M4A = b"\0\0\0\x20ftypM4A \0\0\2\0isomiso2" + b"\0" * 40
WEBM = b"\x1a\x45\xdf\xa3\x9f\x42\x86\x81\x01\x42\xf7\x81\x01\x42\x82\x84webm" + b"\0" * 40
MATROSKA = b"\x1a\x45\xdf\xa3\xa3\x42\x86\x81\x01\x42\xf7\x81\x01\x42\x82\x88matroska" + b"\0" * 40
WAV = b"RIFF\x24\0\0\0WAVEfmt " + b"\0" * 40
MP3 = b"ID3\x04\0\0\0\0\0\0" + b"\0" * 40
BARE_MP3 = b"\xff\xfb\x90\x64" + b"\0" * 40
AAC = b"\xff\xf1\x50\x80" + b"\0" * 40
OGG = b"OggS\0\x02" + b"\0" * 40
FLAC = b"fLaC\0\0\0\x22" + b"\0" * 40
VTT = b"WEBVTT\n\n00:01.000 --> 00:02.000\nFlour.\n"
SVG = (
    b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
)
HTML = b"<!doctype html><script>alert(1)</script>"


def picture(form="PNG", size=(40, 30), mode="RGB", color="red", **options) -> bytes:
    out = io.BytesIO()
    Image.new(mode, size, color).save(out, form, **options)
    return out.getvalue()


def huge_png(side: int) -> bytes:
    """A picture of `side` x `side` pixels in a few kilobytes; nobody needs the pixels to make it."""

    def chunk(name: bytes, content: bytes) -> bytes:
        check = zlib.crc32(name + content).to_bytes(4)
        return len(content).to_bytes(4) + name + content + check

    header = side.to_bytes(4) * 2 + b"\x01\0\0\0\0"
    rows = zlib.compress(b"\0" * (side // 8 + 1) * side, 9)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    )


def clean(kind, content, name="file", *, initial=None, clear=False, required=False, **terms):
    """The form after somebody chose `content`."""

    class Form(forms.Form):
        file = UploadField(kind=kind, required=required, **terms)

    files = {} if content is None else {"file": SimpleUploadedFile(name, content)}
    form = Form({"file-clear": "on"} if clear else {}, files, initial={"file": initial})
    form.is_valid()
    return form


def accepted(kind, content, name="file", **terms):
    form = clean(kind, content, name, **terms)
    assert form.errors == {}
    return form.cleaned_data["file"]


def refused(kind, content, name="file", **terms) -> str:
    [sentence] = clean(kind, content, name, **terms).errors["file"]
    return sentence


def stored(file: File) -> bytes:
    with file.content.storage.open(file.content.name) as content:
        return content.read()


def shown(upload) -> Image.Image:
    return Image.open(io.BytesIO(upload.content.read()))


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "GIF"])
def test_a_picture_is_made_anew_as_webp(form):
    upload = accepted(FileKind.IMAGE, picture(form), f"Bread.{form.lower()}")
    image = shown(upload)
    assert (image.format, image.size) == ("WEBP", (40, 30))
    assert (upload.name, upload.content_type) == ("Bread.webp", "image/webp")


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (SVG, "cover.svg"),
        (SVG, "cover.png"),
        (HTML, "cover.jpg"),
        (b"\x89PNG\r\n\x1a\n" + HTML, "cover.png"),
        (b"GIF89a" + HTML, "cover.gif"),
        (picture("BMP"), "cover.png"),
        (picture("TIFF"), "cover.png"),
        (picture()[:60], "cover.png"),
        (b"\0", "cover.png"),
        (MP4, "cover.png"),
    ],
)
def test_what_is_no_picture_is_refused_whatever_its_name(content, name):
    assert "no picture we can read" in refused(FileKind.IMAGE, content, name)


@pytest.mark.parametrize("form", ["PNG", "JPEG", "GIF"])
def test_nothing_but_the_picture_is_kept_of_a_file_that_is_two_things(form):
    upload = accepted(FileKind.IMAGE, picture(form) + HTML, "two.html")
    assert b"script" not in upload.content.read()
    assert upload.name == "two.webp"


def test_a_photo_stands_upright_and_tells_nothing_of_where_it_was_taken():
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    exif[0x010F] = "Camera of Bob"
    exif.get_ifd(0x8825)[2] = (45.0, 27.0, 0.0)  # latitude
    upload = accepted(FileKind.IMAGE, picture("JPEG", (400, 200), exif=exif, comment=b"at home"))
    image = shown(upload)
    assert image.size == (200, 400)
    assert not image.getexif()
    assert not {"exif", "xmp", "icc_profile", "comment"} & set(image.info)


def swapped_profile() -> bytes:
    """A color profile in which red is called green, and green red."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    table = {bytes(profile[at : at + 4]): at for at in range(132, 132 + 12 * profile[131], 12)}
    red, green = table[b"rXYZ"], table[b"gXYZ"]
    profile[red : red + 4], profile[green : green + 4] = b"gXYZ", b"rXYZ"
    return bytes(profile)


def test_colors_stay_what_they_are_without_the_profile_that_tells_them():
    content = picture(icc_profile=swapped_profile(), color=(220, 30, 30))
    image = shown(accepted(FileKind.IMAGE, content))
    red, green, _blue = image.getpixel((20, 15))
    assert green > 180
    assert red < 80
    assert "icc_profile" not in image.info


def test_a_profile_that_cannot_be_read_is_passed_over():
    image = shown(accepted(FileKind.IMAGE, picture(icc_profile=b"<script>no profile at all")))
    assert image.getpixel((20, 15))[0] > 200
    assert "icc_profile" not in image.info


@pytest.mark.parametrize("mode", ["1", "L", "P", "LA", "RGBA", "I;16"])
def test_every_sort_of_png_is_understood_and_what_is_see_through_stays_so(mode):
    image = shown(accepted(FileKind.IMAGE, picture(mode=mode, color=0)))
    assert image.has_transparency_data is (mode in {"LA", "RGBA"})


def test_a_picture_for_print_is_understood():
    assert shown(accepted(FileKind.IMAGE, picture("JPEG", mode="CMYK", color=0))).mode == "RGB"


@pytest.mark.parametrize("form", ["PNG", "JPEG"])
def test_a_large_picture_becomes_as_large_as_is_needed(form):
    image = shown(
        accepted(FileKind.IMAGE, picture(form, (3000, 1000)), longest_side=uploads.PICTURE)
    )
    assert image.size == (512, 171)
    assert shown(accepted(FileKind.IMAGE, picture(form, (3000, 1000)))).size == (2400, 800)


def test_a_moving_picture_stands_still():
    frames = [Image.new("RGB", (20, 20), color) for color in ("red", "blue")]
    out = io.BytesIO()
    frames[0].save(out, "GIF", save_all=True, append_images=frames[1:])
    image = shown(accepted(FileKind.IMAGE, out.getvalue()))
    assert getattr(image, "n_frames", 1) == 1
    assert image.convert("RGB").getpixel((10, 10))[0] > 200


@pytest.mark.parametrize("side", [7_100, 10_000, 20_000])
def test_a_picture_of_too_many_pixels_is_refused_before_it_is_decoded(side, monkeypatch):
    def decode(*_args):
        raise AssertionError("it was decoded")

    bomb = huge_png(side)
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", decode)
    assert "more than 50 megapixels" in refused(FileKind.IMAGE, bomb)


@pytest.mark.parametrize(
    ("kind", "content", "found"),
    [
        (FileKind.VIDEO, MP4, "video/mp4"),
        (FileKind.VIDEO, MOV, "video/mp4"),
        (FileKind.VIDEO, WEBM, "video/webm"),
        (FileKind.AUDIO, M4A, "audio/mp4"),
        (FileKind.AUDIO, MP4, "audio/mp4"),
        (FileKind.AUDIO, WEBM, "audio/webm"),
        (FileKind.AUDIO, MP3, "audio/mpeg"),
        (FileKind.AUDIO, BARE_MP3, "audio/mpeg"),
        (FileKind.AUDIO, AAC, "audio/aac"),
        (FileKind.AUDIO, OGG, "audio/ogg"),
        (FileKind.AUDIO, WAV, "audio/wav"),
        (FileKind.AUDIO, FLAC, "audio/flac"),
        (FileKind.CAPTIONS, VTT, "text/vtt"),
        (FileKind.CAPTIONS, b"\xef\xbb\xbf" + VTT, "text/vtt"),
        (FileKind.DOCUMENT, HTML, "application/octet-stream"),
        (FileKind.DOCUMENT, SVG, "application/octet-stream"),
    ],
)
def test_a_file_is_known_by_its_content(kind, content, found):
    upload = accepted(kind, content, "anything.xyz")
    assert upload.content_type == found
    assert upload.content.read() == content


@pytest.mark.parametrize(
    ("kind", "content", "why"),
    [
        (FileKind.VIDEO, HTML, "no video that browsers play"),
        (FileKind.VIDEO, MATROSKA, "no video that browsers play"),
        (FileKind.VIDEO, MP3, "no video that browsers play"),
        (FileKind.VIDEO, b"<!--ftypisom" + HTML, "no video that browsers play"),
        (FileKind.AUDIO, HTML, "no audio that browsers play"),
        (FileKind.AUDIO, "<script>".encode("utf-16"), "no audio that browsers play"),
        (FileKind.AUDIO, picture(), "no audio that browsers play"),
        (FileKind.CAPTIONS, HTML, "no captions in WebVTT"),
        (FileKind.CAPTIONS, b"WEBVTTX\n", "no captions in WebVTT"),
        (FileKind.CAPTIONS, b"WEBVTT\n\0", "no captions in WebVTT"),
        (FileKind.CAPTIONS, b"WEBVTT\n\xff\xfe", "no captions in WebVTT"),
        (FileKind.CAPTIONS, b"1\n00:00:01,000 --> 00:00:02,000\n", "no captions in WebVTT"),
    ],
)
def test_what_is_something_else_is_refused_whatever_its_name(kind, content, why):
    name = {"video": "a.mp4", "audio": "a.mp3", "captions": "a.vtt"}[kind]
    assert why in refused(kind, content, name)


@pytest.mark.parametrize("kind", FileKind)
def test_a_file_beyond_the_limit_is_refused_in_a_sentence_that_names_it(kind, settings):
    settings.UPLOAD_MAX_BYTES = settings.UPLOAD_MAX_BYTES | {kind: 2048}
    assert "larger than 2.0\xa0KB" in refused(kind, b"x" * 2049)


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\bob\\plan.pdf", "plan.pdf"),
        ("plan\0.pdf", "plan.pdf"),
        ("plan\r\nSet-Cookie: a=b.pdf", "plan Set-Cookie: a=b.pdf"),
        ("invoice\u202efdp.exe", "invoicefdp.exe"),
        ("  a \t plan.pdf ", "a plan.pdf"),
        (".htaccess", "htaccess"),
        ("..", "file"),
        ("", "file"),
        ("Perché così è.pdf", "Perché così è.pdf"),
        ("x" * 300 + ".pdf", "x" * 196 + ".pdf"),
    ],
)
def test_a_name_is_cleaned_for_the_download(name, kept):
    assert uploads.download_name(name) == kept


def test_a_name_that_a_browser_sends_is_cleaned_on_the_way():
    assert accepted(FileKind.DOCUMENT, b"x", "a/../b\u202e.pdf").name == "b.pdf"


@pytest.mark.parametrize("length", [195, 196, 251])
def test_a_picture_with_a_long_name_is_kept(length):
    accepted(FileKind.IMAGE, picture(), "x" * length + ".png").save()
    assert File.objects.get().name.endswith("x.webp")


def test_saving_keeps_the_file_under_a_random_name_once():
    upload = accepted(FileKind.DOCUMENT, b"flour", "plan.pdf")
    file = upload.save()
    assert upload.save() == file
    kept = File.objects.get()
    assert (kept.name, kept.size, kept.kind) == ("plan.pdf", 5, "document")
    assert "plan" not in kept.content.name
    assert stored(kept) == b"flour"


def test_a_large_upload_is_moved_and_not_copied():
    class Form(forms.Form):
        file = UploadField(kind=FileKind.VIDEO)

    sent = TemporaryUploadedFile("film.mp4", "video/mp4", len(MP4), None)
    sent.write(MP4)
    sent.seek(0)
    form = Form({}, {"file": sent})
    assert form.is_valid()
    form.cleaned_data["file"].save()
    assert not Path(sent.temporary_file_path()).exists()
    assert stored(File.objects.get()) == MP4
    sent.close()


def test_choosing_nothing_keeps_what_is_there():
    file = accepted(FileKind.DOCUMENT, b"x").save()
    form = clean(FileKind.DOCUMENT, None, initial=file, required=True)
    assert form.cleaned_data == {"file": None}
    assert not form.has_changed()
    assert uploads.settle(None, present=file) == file


def test_nothing_at_all_is_refused_where_a_file_is_needed():
    assert refused(FileKind.DOCUMENT, None, required=True) == "This field is required."
    assert refused(FileKind.DOCUMENT, b"") == "The submitted file is empty."


def test_a_file_is_removed_by_its_box_unless_another_was_chosen():
    file = accepted(FileKind.DOCUMENT, b"x").save()
    form = clean(FileKind.DOCUMENT, None, initial=file, clear=True)
    assert form.cleaned_data["file"] is CLEAR
    assert form.has_changed()
    assert uploads.settle(CLEAR, present=file) is None
    other = clean(FileKind.DOCUMENT, b"other", initial=file, clear=True).cleaned_data["file"]
    assert uploads.settle(other, present=file).size == 5
    assert refused(FileKind.DOCUMENT, None, clear=True, required=True) == "This field is required."


@pytest.mark.parametrize("is_key", [False, True])
def test_the_page_shows_what_is_there_what_may_be_chosen_and_how_large(is_key):
    file = accepted(FileKind.IMAGE, picture(), "Bread.png").save()
    form = clean(FileKind.IMAGE, SVG, initial=file.pk if is_key else file, label="Cover")
    html = render_to_string("components/form.html", {"form": form})
    assert file.url in html
    assert "Bread.webp" in html
    assert 'name="file-clear"' in html
    assert "PNG, JPEG, WebP or GIF. At most 10.0\xa0MB." in html
    assert "no picture we can read" in html
    assert "Currently" not in html


def test_the_help_is_in_the_language_of_the_reader():
    field = UploadField(kind=FileKind.IMAGE, help_text="Wide.")
    assert str(field.help_text) == "Wide. PNG, JPEG, WebP or GIF. At most 10.0\xa0MB."
    with translation.override("it"):
        assert "10,0" in str(field.help_text)


def test_every_kind_has_a_limit(settings):
    assert set(settings.UPLOAD_MAX_BYTES) == set(FileKind)


@pytest.fixture
def received(monkeypatch):
    """How many bytes of each file come as far as a temporary file."""
    found = []
    complete = TemporaryFileUploadHandler.file_complete

    def note(handler, file_size):
        found.append(Path(handler.file.temporary_file_path()).stat().st_size)
        return complete(handler, file_size)

    monkeypatch.setattr(TemporaryFileUploadHandler, "file_complete", note)
    return found


MEGABYTE = 1024**2


@pytest.mark.parametrize(
    ("who", "at_most"), [("alice", 8 * MEGABYTE), ("bob", 3 * MEGABYTE), (None, 0)]
)
def test_no_more_of_a_file_is_kept_than_its_sender_may_upload(
    request, client, received, settings, who, at_most
):
    settings.UPLOAD_MAX_BYTES = dict.fromkeys(FileKind, 3 * MEGABYTE)
    settings.UPLOAD_MAX_BYTES["video"] = settings.IMPORT_MAX_BYTES = 8 * MEGABYTE
    if who:
        person = request.getfixturevalue(who)
        client.force_login(getattr(person, "user", person))
    client.post("/account/logout/", {"file": ContentFile(b"x" * 10 * MEGABYTE, "large.bin")})
    [size] = received
    assert at_most < size <= at_most + 2 * 64 * 1024


def test_a_form_still_says_that_a_file_was_too_large(alice, login, settings):
    settings.UPLOAD_MAX_BYTES = dict.fromkeys(FileKind, 3 * MEGABYTE)
    settings.IMPORT_MAX_BYTES = MEGABYTE
    file = ContentFile(b"x" * 10 * MEGABYTE, "large.csv")
    page = login(alice).post(reverse("enrollments:import_create"), {"file": file})
    assert "larger than 1.0\xa0MB" in page.content.decode()
