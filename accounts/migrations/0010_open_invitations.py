"""The filter by open invitations reads those alone."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0009_counts_and_staff'),
    ]

    operations = [
        migrations.AddIndex(
            model_name='link',
            index=models.Index(condition=models.Q(('purpose', 'invitation'), ('revoked_at', None), ('superseded_at', None), ('used_at', None)), fields=['user', 'expires_at'], name='link_open_invitation'),
        ),
    ]
