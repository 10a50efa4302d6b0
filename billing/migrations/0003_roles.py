"""What a role that owns nothing may have done to raw rows: each by one function of the owner's."""

from django.db import migrations

GUARD = """
-- The bypass is the owner's alone: a role that was given DELETE by mistake is refused all the same.
CREATE OR REPLACE FUNCTION billing_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    purged text := current_setting('kcx.purge_connection', true);
BEGIN
    IF TG_LEVEL = 'STATEMENT'
        AND pg_has_role(current_user, (SELECT relowner FROM pg_class WHERE oid = TG_RELID), 'USAGE')
        AND (
            TG_OP = 'DELETE'
            AND (coalesce(current_setting('kcx.replace_file', true), '') <> '' OR coalesce(purged, '') <> '')
            OR TG_OP = 'TRUNCATE' AND TG_TABLE_NAME = 'billing_rawrow_' || purged
        )
    THEN
        RETURN NULL;  -- which rows a DELETE may take is the row trigger's question
    END IF;
    RAISE EXCEPTION 'raw billing rows are append-only: % on % refused', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'insufficient_privilege',
              HINT = 'Rows are replaced by reprocessing their source file.';
END $$;
"""

# In each of these current_schema() is the tables' own: FIX sets the search path.
FUNCTIONS = """
CREATE OR REPLACE FUNCTION billing_create_partition(connection bigint) RETURNS void
LANGUAGE plpgsql STRICT SECURITY DEFINER AS $$
DECLARE
    parent text := format('%I.billing_rawrow', current_schema());
    child text := format('%I.%I', current_schema(), format('billing_rawrow_%s', connection));
    granted record;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('billing_create_partition', connection));
    IF to_regclass(child) IS NOT NULL THEN
        RETURN;
    END IF;
    -- ATTACH takes no time beside a running load, where CREATE TABLE ... PARTITION OF would wait for it.
    EXECUTE format('CREATE TABLE %s (LIKE %s INCLUDING ALL, CHECK (connection_id = %s))',
                   child, parent, connection);
    EXECUTE format('ALTER TABLE %s ATTACH PARTITION %s FOR VALUES IN (%s)', parent, child, connection);
    PERFORM billing_guard(child::regclass);
    EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER billing_only_what_was_named', child);
    FOR granted IN
        SELECT acl.privilege_type, acl.grantee::regrole AS grantee
        FROM pg_class, aclexplode(relacl) acl
        WHERE oid = parent::regclass AND acl.grantee NOT IN (0, relowner)
            AND acl.privilege_type IN ('SELECT', 'INSERT')
    LOOP
        EXECUTE format('GRANT %s ON %s TO %s', granted.privilege_type, child, granted.grantee);
    END LOOP;
END $$;

CREATE FUNCTION billing_replace_file(connection bigint, source_file bigint) RETURNS bigint
LANGUAGE plpgsql STRICT SECURITY DEFINER AS $$
DECLARE
    deleted bigint;
BEGIN
    PERFORM set_config('kcx.replace_file', source_file::text, true);
    EXECUTE format('DELETE FROM %I.%I WHERE connection_id = $1 AND source_file_id = $2',
                   current_schema(), format('billing_rawrow_%s', connection)) USING connection, source_file;
    GET DIAGNOSTICS deleted = ROW_COUNT;
    PERFORM set_config('kcx.replace_file', '', true);
    RETURN deleted;
END $$;
COMMENT ON FUNCTION billing_replace_file(bigint, bigint) IS
    'Deletes the rows of one source file, so that they can be loaded again; answers how many there were.';

CREATE FUNCTION billing_purge_connection(connection bigint) RETURNS void
LANGUAGE plpgsql STRICT SECURITY DEFINER SET lock_timeout = '5s' AS $$
BEGIN
    PERFORM set_config('kcx.purge_connection', connection::text, true);
    EXECUTE format('TRUNCATE %I.%I', current_schema(), format('billing_rawrow_%s', connection));
    PERFORM set_config('kcx.purge_connection', '', true);
END $$;
COMMENT ON FUNCTION billing_purge_connection(bigint) IS
    'Takes all rows of one connection, for good; waits 5 seconds for those who read or load them.';

-- Autovacuum looks at partitions only. Nobody filters by the cells, and sampling them is nearly all of the work.
CREATE FUNCTION billing_analyze() RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    EXECUTE format('ANALYZE %I.billing_rawrow (connection_id, source_file_id, row_number)', current_schema());
END $$;
COMMENT ON FUNCTION billing_analyze() IS 'Refreshes the planner''s statistics of the raw rows'' keys.';
"""

# pg_temp last: otherwise a session's temporary tables would hide these.
FIX = """
DO $$
DECLARE
    fixed regprocedure;
BEGIN
    FOREACH fixed IN ARRAY ARRAY[
        'billing_refuse_change()', 'billing_guard(regclass)', 'billing_create_partition(bigint)',
        'billing_replace_file(bigint, bigint)', 'billing_purge_connection(bigint)', 'billing_analyze()'
    ]::regprocedure[]
    LOOP
        EXECUTE format('ALTER FUNCTION %s SET search_path = %I, pg_temp', fixed, current_schema());
        EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', fixed);
    END LOOP;
END $$;
"""

# The two functions of 0002 keep the bodies above, which serve a database of one role as well.
UNDO = """
DROP FUNCTION billing_analyze();
DROP FUNCTION billing_purge_connection(bigint);
DROP FUNCTION billing_replace_file(bigint, bigint);
"""


class Migration(migrations.Migration):
    dependencies = [("billing", "0002_raw_rows")]
    operations = [migrations.RunSQL(GUARD + FUNCTIONS + FIX, UNDO)]
