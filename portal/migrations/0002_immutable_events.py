"""The event log cannot be rewritten, the cache has its table, and the school its row."""

from django.conf import settings
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


def open_school(apps, schema_editor):
    """The one row of settings, so that no request has to make it."""
    zone = settings.TIME_ZONE
    apps.get_model("portal", "School").objects.get_or_create(pk=1, defaults={"time_zone": zone})


class Migration(migrations.Migration):
    dependencies = [("portal", "0001_initial")]

    operations = [
        migrations.RunSQL(GUARD, UNGUARD),
        migrations.RunPython(create_cache_table, migrations.RunPython.noop),
        migrations.RunPython(open_school, migrations.RunPython.noop),
    ]
