"""A use of a client's account is begun before its first request, and closed once: a run that died stays open."""

from django.db import migrations, models

GUARDS = """
DROP TRIGGER ingestion_no_change ON ingestion_awsuse;
CREATE TRIGGER ingestion_no_change BEFORE DELETE ON ingestion_awsuse
    FOR EACH STATEMENT EXECUTE FUNCTION ingestion_refuse_change();
CREATE TRIGGER ingestion_closed BEFORE UPDATE ON ingestion_awsuse FOR EACH ROW
    WHEN (OLD.ended_at IS NOT NULL) EXECUTE FUNCTION ingestion_refuse_rewrite();
ALTER TABLE ingestion_awsuse ENABLE ALWAYS TRIGGER ingestion_no_change;
ALTER TABLE ingestion_awsuse ENABLE ALWAYS TRIGGER ingestion_closed;
"""

UNDO_GUARDS = """
DROP TRIGGER ingestion_closed ON ingestion_awsuse;
DROP TRIGGER ingestion_no_change ON ingestion_awsuse;
CREATE TRIGGER ingestion_no_change BEFORE UPDATE OR DELETE ON ingestion_awsuse
    FOR EACH STATEMENT EXECUTE FUNCTION ingestion_refuse_change();
ALTER TABLE ingestion_awsuse ENABLE ALWAYS TRIGGER ingestion_no_change;
"""

# Those of before that are known to have died without a word; verifications and the like left no trace.
DEAD_BEFORE = """
INSERT INTO ingestion_awsuse (connection_id, run, actor, subject, started_at, calls, bytes_received)
SELECT connection_id, run, actor, subject, started_at, '{}', 0 FROM (
    SELECT f.connection_id, 'a' || a.id AS run, a.actor, f.key AS subject, a.started_at
    FROM ingestion_loadattempt a JOIN ingestion_sourcefile f ON f.id = a.source_file_id
    WHERE a.outcome = 'CRASHED'
    UNION ALL
    SELECT connection_id, 'd' || id, actor, '', started_at
    FROM ingestion_discoveryrun WHERE error_code = 'worker_crashed'
    UNION ALL
    SELECT connection_id, 'c' || id, actor, '', started_at
    FROM ingestion_accesscheck WHERE outcome = 'CRASHED'
) dead
WHERE NOT EXISTS (SELECT FROM ingestion_awsuse u WHERE u.run = dead.run)
ORDER BY started_at;
"""


class Migration(migrations.Migration):
    dependencies = [("ingestion", "0033_archived_and_refused")]

    operations = [
        migrations.AlterField(
            model_name="awsuse", name="ended_at", field=models.DateTimeField(null=True)
        ),
        migrations.AlterField(model_name="awsuse", name="calls", field=models.JSONField(default=dict)),
        migrations.AlterField(
            model_name="awsuse", name="bytes_received", field=models.BigIntegerField(default=0)
        ),
        migrations.RunSQL(GUARDS, UNDO_GUARDS),
        migrations.RunSQL(DEAD_BEFORE, migrations.RunSQL.noop),
    ]
