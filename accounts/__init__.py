"""People: who we know, and how they get in."""
