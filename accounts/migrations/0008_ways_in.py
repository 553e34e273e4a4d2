"""Codes of self-service links, temporary passwords, withheld permissions, simulated sessions."""

import django.contrib.postgres.fields
import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0007_erasure_and_sessions'),
    ]

    operations = [
        migrations.CreateModel(
            name='Simulation',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('reason', models.TextField()),
                ('auth_epoch', models.PositiveIntegerField()),
                ('started_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('expires_at', models.DateTimeField()),
                ('ended_at', models.DateTimeField(null=True)),
                ('end', models.CharField(blank=True, choices=[('ended', 'Ended by staff'), ('expired', 'Its time was up'), ('actor_invalid', 'Who simulated may not any more'), ('student_invalid', 'The student may not be simulated any more')], max_length=20)),
            ],
        ),
        migrations.AddField(
            model_name='link',
            name='browser',
            field=models.CharField(blank=True, db_default='', max_length=64),
        ),
        migrations.AddField(
            model_name='link',
            name='tries',
            field=models.PositiveSmallIntegerField(db_default=0, default=0),
        ),
        migrations.AddField(
            model_name='session',
            name='entered_by',
            field=models.CharField(blank=True, choices=[('password', 'Password'), ('link', 'Mailed link'), ('copied', 'Link copied by staff'), ('code', 'Mailed code'), ('passkey', 'Passkey')], db_default='', max_length=10),
        ),
        migrations.AddField(
            model_name='user',
            name='temporary_until',
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name='user',
            name='withheld',
            field=django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=20), blank=True, db_default=[], default=list),
        ),
        migrations.AlterField(
            model_name='link',
            name='purpose',
            field=models.CharField(choices=[('login', 'Log in'), ('invitation', 'Accept an invitation'), ('set_password', 'Set the first password'), ('reset', 'Reset the password'), ('confirm_email', 'Confirm a new e-mail address')], max_length=20),
        ),
        migrations.AddIndex(
            model_name='link',
            index=models.Index(condition=models.Q(('browser', ''), _negated=True), fields=['browser'], name='link_by_browser'),
        ),
        migrations.AddField(
            model_name='simulation',
            name='actor',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='simulations', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='simulation',
            name='contact',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='simulations', to='accounts.contact'),
        ),
        migrations.AddIndex(
            model_name='simulation',
            index=models.Index(fields=['contact', '-id'], name='simulation_of_contact'),
        ),
        migrations.AddConstraint(
            model_name='simulation',
            constraint=models.UniqueConstraint(condition=models.Q(('ended_at', None)), fields=('actor',), name='one_live_simulation_per_actor'),
        ),
    ]
