"""Who may see what: grants, enrollments, progress, import."""
