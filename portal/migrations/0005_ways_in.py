"""How people get in becomes a setting of the school, and limits are counted in PostgreSQL."""

import django.core.validators
from django.conf import settings
import portal.models
from django.db import migrations, models


def begin_as_set(apps, schema_editor):
    """A school that is only just made begins as STAFF_SECOND_FACTOR says; one with people asks for it."""
    if not apps.get_model("accounts", "User").objects.exists():
        wanted = settings.STAFF_SECOND_FACTOR
        apps.get_model("portal", "School").objects.update(needs_second_factor=wanted)


class Migration(migrations.Migration):

    dependencies = [
        ('portal', '0004_files'),
    ]

    operations = [
        migrations.AddField(
            model_name='school',
            name='credentials',
            field=models.CharField(choices=[('link', 'A link to choose a password'), ('provisional', 'A provisional password'), ('default', 'The default password for new members')], db_default='link', default='link', max_length=12, verbose_name='welcome mail carries'),
        ),
        migrations.AddField(
            model_name='school',
            name='default_password',
            field=models.TextField(blank=True, db_default=''),
        ),
        migrations.AddField(
            model_name='school',
            name='max_sessions',
            field=models.PositiveSmallIntegerField(blank=True, help_text='One more logs the oldest out. Empty: any number.', null=True, validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(50)], verbose_name='browsers a student may be logged in with'),
        ),
        migrations.AddField(
            model_name='school',
            name='needs_second_factor',
            field=models.BooleanField(db_default=True, default=portal.models.second_factor_by_default, help_text='Until they have set one up, the dashboard stays shut for them.', verbose_name='staff need a second factor'),
        ),
        migrations.AddField(
            model_name='school',
            name='simulation_notice',
            field=models.CharField(choices=[('start', 'When it starts'), ('end', 'When it ends'), ('day_after', 'A day later')], db_default='start', default='start', max_length=12, verbose_name='students are told of a simulated session'),
        ),
        migrations.AddField(
            model_name='school',
            name='temporary_hours',
            field=models.PositiveSmallIntegerField(db_default=72, default=72, validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(720)], verbose_name='hours a temporary password works'),
        ),
        migrations.CreateModel(
            name='Tally',
            fields=[
                ('key', models.CharField(max_length=100, primary_key=True, serialize=False)),
                ('began_at', models.DateTimeField()),
                ('count', models.PositiveIntegerField()),
            ],
            options={
                'indexes': [models.Index(fields=['began_at'], name='tally_swept')],
            },
        ),
        migrations.RunPython(begin_as_set, migrations.RunPython.noop),
    ]
