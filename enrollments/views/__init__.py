"""Pages of access, one file per audience."""
