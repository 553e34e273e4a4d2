"""What may stand in a frame of a lesson: videos and pages of services we know."""

from __future__ import annotations

from urllib.parse import urlsplit

import make
import pytest
from django.conf import settings
from django.urls import reverse

from offers.embeds import SERVICES, frame_url
from offers.models import Lesson
from offers.video import PLAYERS, player_url

BUNNY = "12345/eb1c4f77-0cda-46be-b47d-1118ad7c2ffe"


@pytest.mark.parametrize(
    ("address", "player"),
    [
        (
            "https://www.youtube.com/watch?v=dQw4w9WgXcQ",
            "https://www.youtube-nocookie.com/embed/dQw4w9WgXcQ",
        ),
        ("https://youtu.be/dQw4w9WgXcQ?t=3", "https://www.youtube-nocookie.com/embed/dQw4w9WgXcQ"),
        (
            "https://www.youtube.com/watch?list=a&v=dQw4w9WgXcQ",
            "https://www.youtube-nocookie.com/embed/dQw4w9WgXcQ",
        ),
        ("https://vimeo.com/76979871", "https://player.vimeo.com/video/76979871"),
        ("https://vimeo.com/76979871/ab12cd", "https://player.vimeo.com/video/76979871?h=ab12cd"),
        (
            f"https://iframe.mediadelivery.net/embed/{BUNNY}?autoplay=true",
            f"https://iframe.mediadelivery.net/embed/{BUNNY}",
        ),
        (
            f"https://player.mediadelivery.net/play/{BUNNY}",
            f"https://player.mediadelivery.net/embed/{BUNNY}",
        ),
        (f"https://evil.mediadelivery.net/embed/{BUNNY}", ""),
        ("https://iframe.mediadelivery.net/embed/12345/../x", ""),
        ('https://youtu.be/dQw4w9WgXcQ"><script>', ""),
        ("https://evil.example/youtu.be/dQw4w9WgXcQ", ""),
        ("javascript:alert(1)", ""),
    ],
)
def test_videos_are_embedded_from_services_we_know(address, player):
    assert player_url(address) == player


@pytest.mark.parametrize(
    ("address", "frame"),
    [
        (
            "https://docs.google.com/presentation/d/e/2PACX-1vQ_a/pub?start=false",
            "https://docs.google.com/presentation/d/e/2PACX-1vQ_a/pubembed",
        ),
        (
            "https://docs.google.com/forms/d/e/1FAIpQ/viewform?usp=sf_link",
            "https://docs.google.com/forms/d/e/1FAIpQ/viewform?embedded=true",
        ),
        ("https://mill.typeform.com/to/AbC12#name=x", "https://mill.typeform.com/to/AbC12"),
        (
            "https://www.figma.com/design/nrPSsILSYjesyc5UHjYYa4/Name?node-id=1",
            "https://embed.figma.com/design/nrPSsILSYjesyc5UHjYYa4?embed-host=portal",
        ),
        (
            "https://www.canva.com/design/DAF1/x-y/view?utm=1",
            "https://www.canva.com/design/DAF1/x-y/view?embed",
        ),
        (
            "https://www.loom.com/share/0281766fa2d04bb788eaf19e65135184?sid=1",
            "https://www.loom.com/embed/0281766fa2d04bb788eaf19e65135184",
        ),
        (
            "https://soundcloud.com/mill/sets/dough",
            "https://w.soundcloud.com/player/?url=https%3A//soundcloud.com/mill/sets/dough",
        ),
        (
            "https://open.spotify.com/intl-it/episode/7makk4?si=1",
            "https://open.spotify.com/embed/episode/7makk4",
        ),
        (
            "https://codepen.io/kowlor/pen/ZYYQoy",
            "https://codepen.io/kowlor/embed/ZYYQoy?default-tab=result",
        ),
        (
            "https://view.genial.ly/5f3e7c1d2a4b5c6d7e8f9a0b/a-title",
            "https://view.genially.com/5f3e7c1d2a4b5c6d7e8f9a0b",
        ),
        ("https://docs.google.com/document/d/1abc/edit", ""),
        ("https://evil.example/?https://codepen.io/kowlor/pen/ZYYQoy", ""),
        ("https://codepen.io.evil.example/kowlor/pen/ZYYQoy", ""),
        ('https://codepen.io/kowlor/pen/Z"onload="x', ""),
        ("http://codepen.io/kowlor/pen/ZYYQoy", ""),
    ],
)
def test_pages_are_embedded_from_services_we_know_in_a_form_of_our_own(address, frame):
    assert frame_url(address) == frame


def test_the_browser_is_allowed_every_frame_we_make():
    allowed = set(settings.FRAME_SOURCES)
    made = [player for _pattern, player in PLAYERS] + [service.frame for service in SERVICES]
    for frame in made:
        hosts = {urlsplit(frame).netloc}
        if frame.startswith("https://{}."):
            tail = urlsplit(frame).netloc.removeprefix("{}")
            hosts = {f"*{tail}"} if "typeform" in tail else {f"iframe{tail}", f"player{tail}"}
        assert {f"https://{host}" for host in hosts} <= allowed, frame


def test_another_service_is_refused_and_the_sentence_names_those_there_are(login, alice):
    module = make.course("Bread").modules.get()
    fields = {"kind": "embed", "title": "Slides", "module": module.pk, "version": "1"}
    page = reverse("offers:lesson_create", args=[module.pk])
    staff = login(alice)
    answer = staff.post(page, fields | {"embed_url": "https://evil.example/slides"})
    assert answer.status_code == 200
    assert "This address cannot be embedded." in answer.content.decode()
    assert "Typeform" in answer.content.decode()
    assert 'value="https://evil.example/slides"' in answer.content.decode()
    assert not Lesson.objects.filter(kind="embed").exists()
    staff.post(page, fields | {"embed_url": "https://codepen.io/kowlor/pen/ZYYQoy"})
    lesson = Lesson.objects.get(kind="embed")
    editor = staff.get(reverse("offers:lesson_update", args=[lesson.pk]))
    assert 'src="https://codepen.io/kowlor/embed/ZYYQoy' in editor.content.decode()
    assert "https://codepen.io" in editor.headers["Content-Security-Policy"]
