"""A connection may be purged at the end of its contract: by one function, behind a receipt, and for good."""

from django.db import migrations, models

FUNCTION = """
CREATE FUNCTION ingestion_purge_connection(connection bigint) RETURNS void
LANGUAGE plpgsql STRICT SECURITY DEFINER AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM ingestion_clientconnection WHERE id = connection AND purged_at IS NOT NULL) THEN
        RAISE EXCEPTION 'connection % is not marked as purged', connection USING ERRCODE = 'insufficient_privilege';
    END IF;
    -- Its last receipt is that of this purge: nobody takes the rows without one.
    IF NOT EXISTS (
        SELECT FROM ingestion_receipt
        WHERE connection_id = connection AND kind = 'PURGE'
            AND created_at BETWEEN transaction_timestamp() AND clock_timestamp()
            AND sequence = (SELECT max(sequence) FROM ingestion_receipt WHERE connection_id = connection)
    ) THEN
        RAISE EXCEPTION 'no receipt of this transaction tells of a purge of connection %', connection
            USING ERRCODE = 'insufficient_privilege', HINT = 'Use manage.py purge.';
    END IF;
    PERFORM billing_purge_connection(connection);
END $$;
COMMENT ON FUNCTION ingestion_purge_connection(bigint) IS
    'Takes all rows of one connection, for good, in the transaction that has just written the receipt of it.';

DO $$
BEGIN
    EXECUTE format('ALTER FUNCTION ingestion_purge_connection(bigint) SET search_path = %I, pg_temp', current_schema());
    REVOKE EXECUTE ON FUNCTION ingestion_purge_connection(bigint) FROM PUBLIC;
END $$;
"""
UNDO = "DROP FUNCTION ingestion_purge_connection(bigint);"


class Migration(migrations.Migration):
    dependencies = [("ingestion", "0036_verification_requests"), ("billing", "0003_roles")]
    operations = [
        migrations.RemoveConstraint(
            model_name='receipt',
            name='receipt_is_of_one_thing',
        ),
        migrations.AddField(
            model_name='clientconnection',
            name='purged_at',
            field=models.DateTimeField(editable=False, help_text='When all its rows were erased, for good.', null=True),
        ),
        migrations.AlterField(
            model_name='receipt',
            name='kind',
            field=models.CharField(choices=[('FILE', 'File'), ('DELIVERY', 'Delivery'), ('PURGE', 'Purge')], max_length=10),
        ),
        migrations.AlterField(
            model_name='sourcefile',
            name='skip_reason',
            field=models.CharField(blank=True, choices=[('UNKNOWN', 'Not an AWS export file, nor a data file KCX can read'), ('UNSUPPORTED', 'A kind of AWS report that KCX lists but does not load'), ('UNLISTED', 'No manifest lists it yet'), ('OLDER', 'Part of an older delivery: only the current one of each billing period is loaded'), ('ARCHIVED', 'In an archive storage class: the client must restore it'), ('REPLACED', 'Replaced before it was read'), ('GONE', 'Gone before load'), ('BY_STAFF', 'Skipped by staff'), ('PURGED', 'Purged with its connection: its rows were erased for good')], max_length=20),
        ),
        migrations.AddConstraint(
            model_name='clientconnection',
            constraint=models.CheckConstraint(condition=models.Q(('enabled', False), ('purged_at', None), _connector='OR'), name='connection_purged_is_disabled'),
        ),
        migrations.AddConstraint(
            model_name='receipt',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('delivery', None), ('kind', 'FILE'), ('source_file__isnull', False)), models.Q(('delivery__isnull', False), ('kind', 'DELIVERY'), ('source_file', None)), models.Q(('delivery', None), ('kind', 'PURGE'), ('source_file', None)), _connector='OR'), name='receipt_is_of_one_thing'),
        ),
        migrations.RunSQL(FUNCTION, UNDO),
    ]
