"""What the dashboard asks at every look: small indexes of what is open, and covering ones of what is recent."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('billing', '0003_roles'),
        ('ingestion', '0010_access_subject'),
    ]

    operations = [
        migrations.AddIndex(
            model_name='delivery',
            index=models.Index(condition=models.Q(('status', 'INCOMPLETE')), fields=['id'], name='delivery_incomplete'),
        ),
        migrations.AddIndex(
            model_name='delivery',
            index=models.Index(condition=models.Q(('published_at__isnull', False)), fields=['published_at'], include=('scope', 'delivered_at'), name='delivery_published'),
        ),
        migrations.AddIndex(
            model_name='sourcefile',
            index=models.Index(condition=models.Q(('status', 'FAILED')), fields=['connection', 'error_code', 'id'], include=('next_retry_at',), name='sourcefile_failed'),
        ),
        migrations.AddIndex(
            model_name='sourcefile',
            index=models.Index(condition=models.Q(('ingested_at__isnull', False)), fields=['connection', '-ingested_at'], name='sourcefile_last_ingested'),
        ),
        migrations.AddIndex(
            model_name='sourcefile',
            index=models.Index(condition=models.Q(('ingested_at__isnull', False)), fields=['ingested_at'], include=('row_count', 'size'), name='sourcefile_ingested'),
        ),
    ]
