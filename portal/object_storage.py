"""Files in a bucket of Amazon S3, or of anything that speaks like it. Used where S3_BUCKET is set."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from tempfile import SpooledTemporaryFile
from typing import Any

from django.core.files.base import File
from django.core.files.storage import Storage
from django.utils.deconstruct import deconstructible

SIGNED_FOR = 300  # seconds an address opens its object
IN_MEMORY = 2 * 1024**2


@deconstructible
class ObjectStorage(Storage):
    """Objects of one private bucket. Its library is loaded by the first object that is asked for."""

    def __init__(
        self,
        *,
        bucket: str,
        region: str,
        endpoint: str = "",
        access_key: str = "",
        secret_key: str = "",
    ) -> None:
        """Without an `endpoint`, Amazon's; without keys, those of the machine's role."""
        self.bucket = bucket
        self.region = region
        self.endpoint = endpoint
        self.access_key = access_key
        self.secret_key = secret_key

    @cached_property
    def client(self) -> Any:
        """Safe to share between threads."""
        from boto3.session import Session  # type: ignore[import-untyped]
        from botocore.config import Config  # type: ignore[import-untyped]

        return Session().client(
            "s3",
            region_name=self.region,
            endpoint_url=self.endpoint or f"https://s3.{self.region}.amazonaws.com",
            aws_access_key_id=self.access_key or None,
            aws_secret_access_key=self.secret_key or None,
            config=Config(
                signature_version="s3v4",
                s3={"addressing_style": "path" if self.endpoint else "virtual"},
                connect_timeout=5,
                read_timeout=30,
                retries={"total_max_attempts": 3},
                # Many that speak like S3 refuse the checksums Amazon has come to offer.
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
            ),
        )

    def get_available_name(self, name: str, max_length: int | None = None) -> str:
        """`name` itself, without a look: our names are random, and the same one is the same content."""
        return name

    def _open(self, name: str, mode: str = "rb") -> File[bytes]:
        """The content, fetched; more than a little of it lies on disk meanwhile."""
        if mode != "rb":
            raise ValueError("An object is written whole, by save()")
        content = SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115 -- whoever opened it closes it
        try:
            self.client.download_fileobj(self.bucket, name, content)
        except self.client.exceptions.ClientError as error:
            content.close()
            if _is_missing(error):
                raise FileNotFoundError(name) from error
            raise
        content.seek(0)
        return File(content, name=name)

    def _save(self, name: str, content: File[bytes]) -> str:
        """Send it in parts, never whole in memory. Closes `content`."""
        content.seek(0)
        self.client.upload_fileobj(
            content,
            self.bucket,
            name,
            ExtraArgs={"ContentType": "application/octet-stream"},
        )
        return name

    def delete(self, name: str) -> None:
        """Delete it. What is not there is deleted."""
        self.client.delete_object(Bucket=self.bucket, Key=name)

    def exists(self, name: str) -> bool:
        try:
            self.size(name)
        except FileNotFoundError:
            return False
        return True

    def size(self, name: str) -> int:
        try:
            return int(self.client.head_object(Bucket=self.bucket, Key=name)["ContentLength"])
        except self.client.exceptions.ClientError as error:
            if _is_missing(error):
                raise FileNotFoundError(name) from error
            raise

    def url(self, name: str | None, labels: Mapping[str, str] | None = None) -> str:
        """An address that opens the object for SIGNED_FOR seconds, sent with these two headers (else downloaded)."""
        labels = labels or {}
        address: str = self.client.generate_presigned_url(
            "get_object",
            Params={
                "Bucket": self.bucket,
                "Key": name,
                "ResponseContentType": labels.get("Content-Type", "application/octet-stream"),
                "ResponseContentDisposition": labels.get("Content-Disposition", "attachment"),
                "ResponseCacheControl": f"private, max-age={SIGNED_FOR}",
            },
            ExpiresIn=SIGNED_FOR,
        )
        return address


def _is_missing(error: Any) -> bool:
    return bool(error.response["ResponseMetadata"]["HTTPStatusCode"] == 404)
