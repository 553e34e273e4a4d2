"""What stands in an address, which anybody may have typed."""


def is_pk(text: str) -> bool:
    """Whether `text` can be a primary key."""
    return text.isascii() and text.isdecimal() and len(text) < 19
