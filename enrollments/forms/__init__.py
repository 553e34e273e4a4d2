"""What may be asked about access, and what is valid: one noun per file."""
