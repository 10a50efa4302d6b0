"""When the registry last changed what it says of a file: what readers of the API ask for since their last look."""

import django.db.models.functions.datetime
from django.db import migrations, models

# Not the queue's own notes (queued_at, requested_by): they say nothing of the file.
TOLD = [
    "status", "skip_reason", "export_id", "billing_period_start", "billing_period_end", "ingested_at", "layout_id",
    "row_count", "decoded_bytes", "object_sha256", "rows_sha256", "error_code", "error_message", "next_action",
    "failures", "next_retry_at", "reload_requested_at", "size", "last_modified", "storage_class",
]
CHANGED = " OR ".join(f"OLD.{column} IS DISTINCT FROM NEW.{column}" for column in TOLD)
TRIGGER = f"""
CREATE FUNCTION ingestion_note_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.changed_at := clock_timestamp();
    RETURN NEW;
END $$;
CREATE TRIGGER ingestion_changed BEFORE UPDATE ON ingestion_sourcefile
    FOR EACH ROW WHEN ({CHANGED}) EXECUTE FUNCTION ingestion_note_change();
"""
UNDO = "DROP FUNCTION ingestion_note_change() CASCADE;"


class Migration(migrations.Migration):

    dependencies = [
        ('ingestion', '0015_aws_uses'),
    ]

    operations = [
        migrations.AddField(
            model_name='sourcefile',
            name='changed_at',
            field=models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False, help_text="When the registry last changed what it says of the file; kept by a trigger."),
        ),
        migrations.AddIndex(
            model_name='sourcefile',
            index=models.Index(fields=['changed_at'], name='sourcefile_changed'),
        ),
        migrations.RunSQL(TRIGGER, UNDO),
    ]
