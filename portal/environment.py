"""Reads the variables that need more than a cast. Each error is one sentence that names the variable."""

import os
import re
import secrets
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured
from environ import Env


def urls_base(value: str) -> str:
    """The public base of every link, without a trailing slash; nothing but scheme and host."""
    parts = urlsplit(value)
    if (
        parts.scheme not in ("http", "https")
        or not parts.hostname
        or parts.path.strip("/")
        or parts.query
    ):
        raise ImproperlyConfigured(
            f"PORTAL_URL must look like https://portal.example.com, not {value!r}"
        )
    return f"{parts.scheme}://{parts.netloc}"


def secret_key(value: str, file: Path) -> str:
    """`value`, or else a key of this checkout's own, made once and kept in `file`.

    A system check refuses production without SECRET_KEY; the file serves demo and tests.
    """
    if value:
        return value
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        mine = file.with_suffix(f".{os.getpid()}")
        with os.fdopen(os.open(mine, os.O_WRONLY | os.O_CREAT, 0o600), "w") as out:
            out.write(secrets.token_urlsafe(50))
        try:
            os.link(mine, file)  # of several processes at the first start, one wins whole
        except FileExistsError:
            pass
        finally:
            mine.unlink()
    return file.read_text()


def anymail_options() -> dict[str, str]:
    """ANYMAIL_POSTMARK_SERVER_TOKEN=… and the like, as the settings anymail reads."""
    prefix = "ANYMAIL_"
    return {
        key[len(prefix) :]: value for key, value in os.environ.items() if key.startswith(prefix)
    }


def mailer_from(env: Env, var: Path, *, timeout: int) -> dict[str, Any]:
    """Where mail leaves: anymail's provider, EMAIL_URL's server, or else files in var/mail."""
    if provider := env.str("ANYMAIL_PROVIDER", default=""):
        return {"BACKEND": f"anymail.backends.{provider}.EmailBackend", "OPTIONS": {}}
    if not env.str("EMAIL_URL", default=""):
        return {"BACKEND": "notifications.mailbox.Mailbox", "OPTIONS": {"folder": var / "mail"}}
    url = urlsplit(env.str("EMAIL_URL"))
    security = {
        "smtp": {},
        "smtps": {"use_tls": True},
        "smtp+tls": {"use_tls": True},
        "smtp+ssl": {"use_ssl": True},
    }
    if url.scheme not in security or not url.hostname:
        raise ImproperlyConfigured(
            "EMAIL_URL must look like smtp://user:password@host:25, with smtp+tls:// or smtp+ssl:// for TLS"
        )
    config = env.email_url_config(env.str("EMAIL_URL"))
    return {
        "BACKEND": "django.core.mail.backends.smtp.EmailBackend",
        "OPTIONS": {
            "host": config["EMAIL_HOST"],
            "port": config["EMAIL_PORT"] or 25,
            "username": config["EMAIL_HOST_USER"] or "",
            "password": config["EMAIL_HOST_PASSWORD"] or "",
            "timeout": timeout,
            **security[url.scheme],
        },
    }


def storage_from(env: Env) -> dict[str, Any]:
    """Where uploads lie: in the bucket that S3_BUCKET names, or else in MEDIA_ROOT."""
    bucket = env.str("S3_BUCKET", default="")
    names = ("S3_ENDPOINT", "S3_REGION", "S3_ACCESS_KEY", "S3_SECRET_KEY")
    endpoint, region, access_key, secret_key = (env.str(name, default="") for name in names)
    if not bucket:
        for name in names:
            if env.str(name, default=""):
                raise ImproperlyConfigured(f"{name} is set, but S3_BUCKET is not: name the bucket")
        return {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": {}}
    if not re.fullmatch(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", bucket):
        raise ImproperlyConfigured(f"S3_BUCKET must be the name of a bucket, not {bucket!r}")
    parts = urlsplit(endpoint)
    if endpoint and (parts.scheme not in ("http", "https") or not parts.hostname or parts.path):
        raise ImproperlyConfigured(
            f"S3_ENDPOINT must look like https://s3.example.com, not {endpoint!r}"
        )
    if not (endpoint or region):
        raise ImproperlyConfigured("S3_REGION must name the bucket's region, like eu-south-1")
    if bool(access_key) != bool(secret_key):
        missing = "S3_SECRET_KEY" if access_key else "S3_ACCESS_KEY"
        raise ImproperlyConfigured(f"{missing} must be set: the two keys go together")
    return {
        "BACKEND": "portal.object_storage.ObjectStorage",
        "OPTIONS": {
            "bucket": bucket,
            "region": region or "us-east-1",  # what those who have none want to hear
            "endpoint": endpoint,
            "access_key": access_key,
            "secret_key": secret_key,
        },
    }


def origins_of(storage: dict[str, Any]) -> list[str]:
    """The hosts beside our own that browsers fetch uploads from."""
    options = storage["OPTIONS"]
    if "bucket" not in options:
        return []
    amazon = f"https://{options['bucket']}.s3.{options['region']}.amazonaws.com"
    return [options["endpoint"] or amazon]


def sendfile_from(env: Env, storage: dict[str, Any]) -> str:
    """Which server in front sends files for us: "accel" (nginx), "sendfile" (Apache), or "" for none."""
    chosen = env.str("FILES_SENDFILE", default="")
    if chosen not in ("", "accel", "sendfile"):
        raise ImproperlyConfigured(
            f"FILES_SENDFILE must be accel, sendfile or empty, not {chosen!r}"
        )
    if chosen and "bucket" in storage["OPTIONS"]:
        raise ImproperlyConfigured("FILES_SENDFILE must be empty where S3_BUCKET is set")
    return str(chosen)
