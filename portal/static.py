"""Static files, named by their content: compressed once, and their addresses remembered."""

from __future__ import annotations

from functools import cache
from typing import cast

from whitenoise.storage import CompressedManifestStaticFilesStorage


class StaticFiles(CompressedManifestStaticFilesStorage):
    """WhiteNoise's. A page asks for some forty addresses, which only a new start changes."""

    @cache  # noqa: B019 -- there is one storage, and it lives as long as the process
    def url(self, name: str | None, force: bool = False) -> str:
        address: str = super().url(cast(str, name), force)
        return address
