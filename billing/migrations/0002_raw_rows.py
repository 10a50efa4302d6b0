"""The partitioned, append-only table of raw rows."""

from django.db import migrations

TABLE = """
CREATE TABLE billing_rawrow (
    connection_id bigint NOT NULL,
    source_file_id bigint NOT NULL,
    row_number bigint NOT NULL,
    "values" text[] NOT NULL,
    PRIMARY KEY (connection_id, source_file_id, row_number)
) PARTITION BY LIST (connection_id);

COMMENT ON TABLE billing_rawrow IS
    'One row of one source file, as received; the column names are on the file''s billing_columnlayout.';
COMMENT ON COLUMN billing_rawrow.row_number IS '1-based; the header is not a row.';
COMMENT ON COLUMN billing_rawrow."values" IS
    'The cells in the file''s own column order: NULL where the file has no value, '''' where it has an empty string.';

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_settings WHERE name = 'default_toast_compression' AND 'lz4' = ANY (enumvals)) THEN
        ALTER TABLE billing_rawrow ALTER COLUMN "values" SET COMPRESSION lz4;
    END IF;
END $$;
"""

GUARDS = """
CREATE FUNCTION billing_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' AND TG_LEVEL = 'STATEMENT' AND (
        coalesce(current_setting('kcx.replace_file', true), '') <> ''
        OR coalesce(current_setting('kcx.purge_connection', true), '') <> ''
    ) THEN
        RETURN NULL;  -- which rows may go is the row trigger's question
    END IF;
    RAISE EXCEPTION 'raw billing rows are append-only: % on % refused', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'insufficient_privilege',
              HINT = 'Rows are replaced by reprocessing their source file.';
END $$;

-- Statement triggers of the parent do not protect a partition that is named directly.
CREATE FUNCTION billing_guard(guarded regclass) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('CREATE TRIGGER billing_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON %s
                    FOR EACH STATEMENT EXECUTE FUNCTION billing_refuse_change()', guarded);
    EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER billing_append_only', guarded);
END $$;

SELECT billing_guard('billing_rawrow');

-- ATTACH copies a row trigger to the partition.
CREATE TRIGGER billing_only_what_was_named BEFORE DELETE ON billing_rawrow FOR EACH ROW
    WHEN (OLD.source_file_id::text IS DISTINCT FROM current_setting('kcx.replace_file', true)
          AND OLD.connection_id::text IS DISTINCT FROM current_setting('kcx.purge_connection', true))
    EXECUTE FUNCTION billing_refuse_change();
ALTER TABLE billing_rawrow ENABLE ALWAYS TRIGGER billing_only_what_was_named;
"""

PARTITIONS = """
-- ATTACH takes no time beside a running load, where CREATE TABLE ... PARTITION OF would wait for it.
CREATE FUNCTION billing_create_partition(connection bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    child text := format('billing_rawrow_%s', connection);
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('billing_create_partition', connection));
    IF to_regclass(child) IS NOT NULL THEN
        RETURN;
    END IF;
    EXECUTE format('CREATE TABLE %I (LIKE billing_rawrow INCLUDING ALL, CHECK (connection_id = %s))',
                   child, connection);
    EXECUTE format('ALTER TABLE billing_rawrow ATTACH PARTITION %I FOR VALUES IN (%s)', child, connection);
    PERFORM billing_guard(child::regclass);
    EXECUTE format('ALTER TABLE %I ENABLE ALWAYS TRIGGER billing_only_what_was_named', child);
END $$;
"""

UNDO = """
DROP TABLE billing_rawrow;
DROP FUNCTION billing_create_partition(bigint);
DROP FUNCTION billing_guard(regclass);
DROP FUNCTION billing_refuse_change();
"""


class Migration(migrations.Migration):
    dependencies = [("billing", "0001_initial")]
    operations = [migrations.RunSQL(TABLE + GUARDS + PARTITIONS, UNDO)]
