"""What every fault test stands on."""

from stage import stage, static

__all__ = ["stage", "static"]
