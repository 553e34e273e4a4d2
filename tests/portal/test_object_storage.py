"""Uploads in a bucket: kept, swept, and opened by addresses that soon are worth nothing."""

from __future__ import annotations

import os
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit
from urllib.request import Request, urlopen

import bucket
import make
import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.utils.timezone import now
from environ import Env

from enrollments.models import Grant
from offers.models import Lesson
from portal import environment, sweep
from portal.clock import Clock
from portal.models import File, FileKind
from portal.object_storage import ObjectStorage

LARGE = os.urandom(9 * 1024**2)  # beyond what is sent at once

S3 = {
    "S3_BUCKET": "bucket",
    "S3_ENDPOINT": "https://s3.example.com",
    "S3_ACCESS_KEY": "key",
    "S3_SECRET_KEY": "secret",
}


@pytest.fixture
def store(settings):
    """A bucket that the portal uses."""
    with bucket.running() as server:
        settings.STORAGES = settings.STORAGES | {
            "default": {
                "BACKEND": "portal.object_storage.ObjectStorage",
                "OPTIONS": {
                    "bucket": "bucket",
                    "region": "us-east-1",
                    "endpoint": server.url,
                    "access_key": "key",
                    "secret_key": "secret",
                },
            }
        }
        yield server
        default_storage.client.close()


@pytest.fixture
def film(bob, store):
    """A video of a course of Bob's."""
    return shown(bob, kept(FileKind.VIDEO, "Così è.mp4"))


def kept(kind, name, content=b"0123456789") -> File:
    types = {"video": "video/mp4", "captions": "text/vtt"}
    file = File(kind=kind, name=name, size=len(content), content_type=types.get(kind, "text/html"))
    file.content.save(name, ContentFile(content), save=False)
    file.save()
    return file


def shown(contact, file) -> File:
    course = make.course()
    make.grant(contact=contact, offer=make.offer(courses=[course]))
    lesson = Lesson.objects.filter(module__course=course).first()
    lesson.attachments.add(file)
    return file


def fetch(address, **headers):
    return urlopen(Request(address, headers=headers))  # noqa: S310 -- an address of our own bucket


@pytest.mark.parametrize("content", [b"flour", LARGE], ids=["small", "in parts"])
def test_an_object_is_kept_as_it_was_until_it_is_deleted(store, content):
    assert default_storage.save("ab/flour", ContentFile(content)) == "ab/flour"
    assert store.objects == {"ab/flour": content}
    assert default_storage.exists("ab/flour")
    assert default_storage.size("ab/flour") == len(content)
    with default_storage.open("ab/flour") as found:
        assert found.read() == content
    default_storage.delete("ab/flour")
    default_storage.delete("ab/flour")
    assert store.objects == {}


def test_what_is_large_is_sent_in_parts(store):
    default_storage.save("large", ContentFile(LARGE))
    assert store.asked.count("PUT partNumber&uploadId") == 2


def test_an_object_that_is_not_there_is_missing(store):
    assert not default_storage.exists("nothing")
    for ask in (default_storage.size, default_storage.open):
        with pytest.raises(FileNotFoundError):
            ask("nothing")
    with pytest.raises(ValueError, match="written whole"):
        default_storage.open("nothing", "wb")


def test_who_may_see_a_film_is_sent_to_it_for_five_minutes(bob, charlie, login, film, store):
    answer = login(bob).get(film.url)
    assert answer.status_code == 302
    assert answer.headers["Cache-Control"] == "private, no-cache"
    address = answer.headers["Location"]
    assert address.startswith(f"{store.url}/bucket/{film.content.name}?")
    signature = parse_qs(urlsplit(address).query)
    assert int(signature["X-Amz-Expires"][0]) == 300

    with fetch(address, Range="bytes=2-5") as found:
        assert found.read() == b"2345"
        assert found.headers["Content-Type"] == "video/mp4"
        assert found.headers["Content-Disposition"] == (
            "inline; filename*=utf-8''Cos%C3%AC%20%C3%A8.mp4"
        )
    assert login(charlie).get(film.url).status_code == 404
    Grant.objects.all().revoke()
    assert login(bob).get(film.url).status_code == 404


def test_a_document_in_a_bucket_is_downloaded(bob, login, store):
    file = shown(bob, kept(FileKind.DOCUMENT, "x" * 190 + ".html"))
    with fetch(login(bob).get(file.url).headers["Location"]) as found:
        assert found.headers["Content-Type"] == "application/octet-stream"
        assert found.headers["Content-Disposition"].startswith("attachment;")


def test_the_longest_name_is_not_too_long_for_an_address(bob, login, store):
    file = shown(bob, kept(FileKind.DOCUMENT, "è" * 196 + ".pdf"))
    with fetch(login(bob).get(file.url).headers["Location"]) as found:
        assert found.read() == b"0123456789"


def test_captions_come_from_our_own_host_where_players_look_for_them(bob, login, store):
    file = shown(bob, kept(FileKind.CAPTIONS, "film.vtt", b"WEBVTT\n"))
    answer = login(bob).get(file.url)
    assert answer.status_code == 200
    assert b"".join(answer.streaming_content) == b"WEBVTT\n"


def test_the_sweep_empties_the_bucket_too(film, store):
    kept(FileKind.DOCUMENT, "old.pdf")
    File.objects.update(created_at=now() - sweep.SPARED - timedelta(hours=1))
    Clock().run_once()
    assert list(File.objects.all()) == [film]
    assert list(store.objects) == [film.content.name]


def test_amazon_needs_no_endpoint():
    storage = ObjectStorage(
        bucket="bread", region="eu-south-1", access_key="key", secret_key="secret"
    )
    [origin] = environment.origins_of(
        {"OPTIONS": {"bucket": "bread", "region": "eu-south-1", "endpoint": ""}}
    )
    assert storage.url("ab/flour").startswith(f"{origin}/ab/flour?")


def storage_with(monkeypatch, **variables):
    for name in (*S3, "S3_REGION", "FILES_SENDFILE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return environment.storage_from(Env())


def test_without_a_bucket_uploads_lie_on_the_disk(monkeypatch):
    disk = storage_with(monkeypatch)
    assert disk["BACKEND"].endswith("FileSystemStorage")
    assert environment.origins_of(disk) == []


def test_with_a_bucket_its_host_may_be_fetched_from(monkeypatch):
    storage = storage_with(monkeypatch, **S3)
    assert environment.origins_of(storage) == ["https://s3.example.com"]
    assert environment.sendfile_from(Env(), storage) == ""


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"S3_BUCKET": ""}, "S3_ENDPOINT is set, but S3_BUCKET is not"),
        ({"S3_BUCKET": "A bucket"}, "S3_BUCKET must be the name of a bucket"),
        ({"S3_ENDPOINT": "s3.example.com"}, "S3_ENDPOINT must look like https://s3.example.com"),
        ({"S3_ENDPOINT": "https://s3.example.com/b"}, "S3_ENDPOINT must look like"),
        ({"S3_ENDPOINT": ""}, "S3_REGION must name the bucket's region"),
        ({"S3_ACCESS_KEY": ""}, "S3_ACCESS_KEY must be set"),
        ({"S3_SECRET_KEY": ""}, "S3_SECRET_KEY must be set"),
    ],
)
def test_a_variable_that_cannot_be_is_named(monkeypatch, changed, said):
    with pytest.raises(ImproperlyConfigured, match=said):
        storage_with(monkeypatch, **S3 | changed)


@pytest.mark.parametrize(
    ("chosen", "storage", "said"),
    [
        ("nginx", {}, "FILES_SENDFILE must be accel, sendfile or empty"),
        ("accel", S3, "FILES_SENDFILE must be empty where S3_BUCKET is set"),
    ],
)
def test_who_sends_files_is_one_we_know(monkeypatch, chosen, storage, said):
    found = storage_with(monkeypatch, **storage, FILES_SENDFILE=chosen)
    with pytest.raises(ImproperlyConfigured, match=said):
        environment.sendfile_from(Env(), found)
