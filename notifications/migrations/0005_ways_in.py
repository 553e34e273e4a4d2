"""Mails about ways in: temporary passwords, copied links, second factors, simulated sessions."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('notifications', '0004_address_notices'),
    ]

    operations = [
        migrations.AlterField(
            model_name='message',
            name='kind',
            field=models.CharField(choices=[('access', 'Access to the portal'), ('link', 'Link'), ('password_changed', 'Password changed'), ('reminder', 'Access ends soon'), ('import_finished', 'Import finished'), ('reply', 'Answer to a comment'), ('email_changed', 'E-mail address changed'), ('erasure_asked', 'Erasure asked for'), ('temporary_password', 'Temporary password'), ('link_copied', 'Login link made by staff'), ('second_factor', 'Second factor changed'), ('simulation', 'Session simulated')], max_length=20),
        ),
    ]
