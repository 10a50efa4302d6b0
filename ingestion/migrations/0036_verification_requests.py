"""Verifications that are asked for wait in a table of their own."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('ingestion', '0035_session_and_request_ids'),
    ]

    operations = [
        migrations.CreateModel(
            name='VerificationRequest',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('actor', models.CharField(help_text='A person, or the schedule.', max_length=200)),
                ('against_s3', models.BooleanField(default=False, verbose_name='against S3')),
                ('requested_at', models.DateTimeField(auto_now_add=True)),
                ('queued_at', models.DateTimeField(help_text='When a task was last queued for it.', null=True)),
                ('tries', models.PositiveSmallIntegerField(default=0)),
                ('connection', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='verification_requests', to='ingestion.clientconnection')),
                ('source_file', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='verification_requests', to='ingestion.sourcefile')),
            ],
            options={
                'ordering': ['id'],
                'constraints': [models.UniqueConstraint(fields=('connection', 'source_file', 'against_s3'), name='verificationrequest_once', nulls_distinct=False)],
            },
        ),
    ]
