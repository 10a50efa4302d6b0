"""The dashboard adds up loads by their attempts, and finds the newest keys of an export by an index."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('ingestion', '0038_guards'),
    ]

    operations = [
        migrations.RemoveIndex(
            model_name='sourcefile',
            name='sourcefile_ingested',
        ),
        migrations.AddIndex(
            model_name='deliveryscope',
            index=models.Index(condition=models.Q(('key', ''), _negated=True), fields=['export', 'id'], name='scope_newest_keys'),
        ),
        migrations.AddIndex(
            model_name='loadattempt',
            index=models.Index(condition=models.Q(('outcome', 'SUCCEEDED')), fields=['ended_at'], include=('rows', 'bytes_read'), name='loadattempt_succeeded'),
        ),
    ]
