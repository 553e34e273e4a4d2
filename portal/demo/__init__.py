"""The demo's school: what it teaches, who belongs to it, and the ninety days it has behind it."""
