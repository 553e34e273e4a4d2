"""What may be asked about what is given, and what is valid: one file per noun."""
