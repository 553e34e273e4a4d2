"""Rubs secrets out of log lines: the token of a mailed link must not outlive it in a log."""

import logging
import re

TOKEN_IN_PATH = re.compile(r"(/l/)[^/\s\"'?]+")


def scrub(text: str) -> str:
    """`/l/<token>/` becomes `/l/***/`, wherever it stands."""
    return TOKEN_IN_PATH.sub(r"\1***", text)


class Scrub(logging.Filter):
    """Rewrites a record before any handler writes it. Never drops one."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = scrub(record.getMessage()), None
        return True
