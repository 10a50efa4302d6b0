"""By which names AWS knows a run: the session, and its last requests."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('ingestion', '0034_uses_begun'),
    ]

    operations = [
        migrations.AddField(
            model_name='awsuse',
            name='request_ids',
            field=models.JSONField(blank=True, db_default=models.Value({}, models.JSONField()), default=dict, help_text='By operation, of the last that was answered and the last refused.'),
        ),
        migrations.AddField(
            model_name='awsuse',
            name='session_arn',
            field=models.TextField(blank=True, db_default='', default='', help_text='As STS named it, and CloudTrail does.', verbose_name='ARN of the session'),
        ),
    ]
