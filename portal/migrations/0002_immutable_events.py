"""The event log cannot be rewritten, and the cache has its table."""

from django.core.management import call_command
from django.db import migrations

GUARD = """
CREATE FUNCTION portal_event_is_immutable() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- Erasing a person is the one lawful rewriting; its verb sets this for its own transaction.
    IF current_setting('portal.erasing', true) = 'on' AND TG_OP = 'UPDATE' THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'an event is never changed or deleted';
END $$;
CREATE TRIGGER portal_event_is_immutable BEFORE UPDATE OR DELETE ON portal_event
    FOR EACH ROW EXECUTE FUNCTION portal_event_is_immutable();
"""

UNGUARD = """
DROP TRIGGER portal_event_is_immutable ON portal_event;
DROP FUNCTION portal_event_is_immutable();
"""


def create_cache_table(apps, schema_editor):
    """Django's database cache has a command for its table; with this, `migrate` is all one needs."""
    call_command("createcachetable", database=schema_editor.connection.alias, verbosity=0)


class Migration(migrations.Migration):
    dependencies = [("portal", "0001_initial")]

    operations = [
        migrations.RunSQL(GUARD, UNGUARD),
        migrations.RunPython(create_cache_table, migrations.RunPython.noop),
    ]
