"""The PostgreSQL that comes along, for when DATABASE_URL is not set.

"portal.embedded" is a database engine of Django: `server` knows PostgreSQL, `base` knows Django.
"""
