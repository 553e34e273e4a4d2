"""Groups: where students talk."""
