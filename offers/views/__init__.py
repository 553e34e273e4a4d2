"""Staff pages of what is given, one file per noun."""
