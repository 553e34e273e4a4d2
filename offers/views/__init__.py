"""Pages of what is given, one file per audience."""
