"""Verifications, append-only."""

import django.db.models.deletion
from django.db import migrations, models


UNDO_GUARD = """
DROP TRIGGER ingestion_no_truncate ON ingestion_verification;
DROP TRIGGER ingestion_no_change ON ingestion_verification;
"""


class Migration(migrations.Migration):

    dependencies = [
        ('ingestion', '0004_receipts'),
    ]

    operations = [
        migrations.CreateModel(
            name='Verification',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('actor', models.CharField(help_text='Who asked for it: a person, or the schedule.', max_length=200)),
                ('against_s3', models.BooleanField(default=False, verbose_name='against S3')),
                ('started_at', models.DateTimeField()),
                ('ended_at', models.DateTimeField()),
                ('outcome', models.CharField(choices=[('EQUAL', 'Equal'), ('DIFFERENT', 'Different'), ('NOT_COMPARED', 'Could not be compared')], max_length=12)),
                ('report', models.JSONField(help_text='The first differences, and how many there are of each kind.')),
                ('connection', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='verifications', to='ingestion.clientconnection')),
                ('source_file', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='verifications', to='ingestion.sourcefile')),
            ],
            options={
                'ordering': ['-id'],
                'indexes': [models.Index(fields=['source_file', '-ended_at'], name='verification_file'), models.Index(fields=['connection', '-id'], name='verification_connection')],
                'constraints': [models.CheckConstraint(condition=models.Q(('started_at__lte', models.F('ended_at'))), name='verification_times_in_order')],
            },
        ),
        migrations.RunSQL("SELECT ingestion_append_only('ingestion_verification')", UNDO_GUARD),
    ]
