"""Bulk runs keep how many had which outcome, and staff are found without reading everybody."""

from django.db import migrations, models


COUNT = """
    UPDATE accounts_bulkrun AS run
    SET changed = told.changed, unchanged = told.unchanged, refused = told.refused
    FROM (
        SELECT run_id, count(*) FILTER (WHERE outcome = 'changed') AS changed,
               count(*) FILTER (WHERE outcome = 'unchanged') AS unchanged,
               count(*) FILTER (WHERE outcome = 'refused') AS refused
        FROM accounts_bulkrow GROUP BY run_id
    ) AS told
    WHERE told.run_id = run.id
"""


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0008_ways_in'),
    ]

    operations = [
        migrations.AddField(
            model_name='bulkrun',
            name='changed',
            field=models.PositiveIntegerField(db_default=0, default=0),
        ),
        migrations.AddField(
            model_name='bulkrun',
            name='refused',
            field=models.PositiveIntegerField(db_default=0, default=0),
        ),
        migrations.AddField(
            model_name='bulkrun',
            name='unchanged',
            field=models.PositiveIntegerField(db_default=0, default=0),
        ),
        migrations.AddIndex(
            model_name='user',
            index=models.Index(condition=models.Q(('role', ''), _negated=True), fields=['email'], name='user_staff'),
        ),
        migrations.RunSQL(COUNT, migrations.RunSQL.noop),
    ]
