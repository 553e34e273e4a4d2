"""The two front pages, and what belongs to no app: health, errors, search, settings."""
