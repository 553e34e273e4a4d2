"""Indexes that pages of courses ask for when 100,000 are enrolled; a rating names its course."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models
from django.db.models import OuterRef, Subquery


def name_the_course(apps, schema_editor):
    """Write the course of each rating beside it."""
    Enrollment = apps.get_model('enrollments', 'Enrollment')
    of = Enrollment.objects.filter(pk=OuterRef('enrollment')).values('course')
    apps.get_model('enrollments', 'Rating').objects.update(course=Subquery(of))
    # What waits to be checked of these rows would forbid to alter their table.
    schema_editor.execute('SET CONSTRAINTS ALL IMMEDIATE')
    schema_editor.execute('SET CONSTRAINTS ALL DEFERRED')


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0008_ways_in'),
        ('enrollments', '0006_list_indexes_and_interruptions'),
        ('offers', '0003_courses_and_cohorts'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RemoveIndex(
            model_name='quizattempt',
            name='attempt_by_quiz',
        ),
        migrations.AddField(
            model_name='rating',
            name='course',
            field=models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='ratings', to='offers.course'),
        ),
        migrations.RunPython(name_the_course, migrations.RunPython.noop, elidable=True),
        migrations.AlterField(
            model_name='rating',
            name='course',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='ratings', to='offers.course'),
        ),
        migrations.AlterField(
            model_name='comment',
            name='parent',
            field=models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='replies', to='enrollments.comment'),
        ),
        migrations.AlterField(
            model_name='enrollment',
            name='cohort',
            field=models.ForeignKey(blank=True, db_index=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='enrollments', to='offers.cohort'),
        ),
        migrations.AlterField(
            model_name='enrollment',
            name='course',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='enrollments', to='offers.course'),
        ),
        migrations.AlterField(
            model_name='quizattempt',
            name='quiz',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='attempts', to='offers.quiz'),
        ),
        migrations.RemoveIndex(
            model_name='comment',
            name='comment_by_lesson',
        ),
        migrations.RemoveIndex(
            model_name='comment',
            name='comment_by_contact',
        ),
        migrations.AddIndex(
            model_name='comment',
            index=models.Index(fields=['lesson', '-id'], include=('hidden_at', 'deleted_at'), name='comment_by_lesson'),
        ),
        migrations.AddIndex(
            model_name='comment',
            index=models.Index(fields=['contact', '-id'], include=('hidden_at', 'deleted_at'), name='comment_by_contact'),
        ),
        migrations.AddIndex(
            model_name='comment',
            index=models.Index(condition=models.Q(('parent', None)), fields=['lesson', '-id'], name='comment_threads'),
        ),
        migrations.AddIndex(
            model_name='comment',
            index=models.Index(fields=['parent', '-id'], name='comment_answers'),
        ),
        migrations.AddIndex(
            model_name='comment',
            index=models.Index(condition=models.Q(('deleted_at', None), ('hidden_at__isnull', False)), fields=['lesson', '-id'], name='comment_hidden'),
        ),
        migrations.AddIndex(
            model_name='enrollment',
            index=models.Index(fields=['course', 'id'], name='enrollment_by_course'),
        ),
        migrations.AddIndex(
            model_name='enrollment',
            index=models.Index(fields=['cohort', 'course', 'id'], include=('contact',), name='enrollment_by_cohort'),
        ),
        migrations.AddIndex(
            model_name='grant',
            index=models.Index(condition=models.Q(('revoked_at', None)), fields=['offer', '-id'], include=('contact', 'ends_at'), name='grant_holders'),
        ),
        migrations.AddIndex(
            model_name='quizattempt',
            index=models.Index(fields=['quiz', '-id'], name='attempt_by_quiz'),
        ),
        migrations.AddIndex(
            model_name='rating',
            index=models.Index(fields=['course', 'stars'], name='rating_by_course'),
        ),
        migrations.AddIndex(
            model_name='rating',
            index=models.Index(condition=models.Q(('text', ''), _negated=True), fields=['course', '-id'], name='rating_in_words'),
        ),
    ]
