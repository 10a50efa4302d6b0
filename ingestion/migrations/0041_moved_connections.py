"""A connection with files stays its client's; a client's schema keeps no view that is not the client's."""

from django.db import migrations

FREEZE = """
CREATE OR REPLACE FUNCTION ingestion_freeze_connection() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.external_id <> OLD.external_id THEN
        RAISE EXCEPTION 'the external id of connection % is never changed', OLD.id USING ERRCODE = 'check_violation';
    END IF;
    IF EXISTS (SELECT FROM ingestion_sourcefile WHERE connection_id = OLD.id) THEN
        RAISE EXCEPTION 'client, bucket and prefix of connection % are frozen: it has files', OLD.id
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE OR REPLACE TRIGGER ingestion_frozen BEFORE UPDATE ON ingestion_clientconnection FOR EACH ROW
    WHEN ((OLD.client_id, OLD.bucket, OLD.prefix, OLD.external_id)
        IS DISTINCT FROM (NEW.client_id, NEW.bucket, NEW.prefix, NEW.external_id))
    EXECUTE FUNCTION ingestion_freeze_connection();
-- Made anew, it forgot that it holds for replicating sessions too.
ALTER TABLE ingestion_clientconnection ENABLE ALWAYS TRIGGER ingestion_frozen;
"""

# As 0019 made it, but for the views that are dropped, and for a client without any connection.
CLIENT_VIEWS = """
CREATE OR REPLACE FUNCTION ingestion_make_client_views(of_client bigint) RETURNS void
LANGUAGE plpgsql STRICT SECURITY DEFINER SET lock_timeout = '1s' AS $$
DECLARE
    home text;
    own bigint[];
    shown record;
    wanted text[] := '{}';
    surplus name;
    col record;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('ingestion_make_client_views', of_client));
    SELECT name INTO STRICT home FROM ingestion_clientschema WHERE client_id = of_client;
    own := ARRAY(SELECT id FROM ingestion_clientconnection WHERE client_id = of_client ORDER BY id);
    FOR shown IN
        SELECT stable AS name, coalesce(
            string_agg(format('SELECT * FROM %I.%I WHERE connection_id = %s', current_schema(), stable, one), ' UNION ALL ' ORDER BY one)
                FILTER (WHERE one IS NOT NULL),
            format('SELECT * FROM %I.%I WHERE connection_id = 0', current_schema(), stable)) AS query
        FROM unnest(ARRAY[
            'billing_rows_all', 'billing_rows_current', 'billing_rows_published', 'billing_files', 'billing_deliveries',
            'billing_delivery_files', 'billing_deliveries_never_current', 'billing_export_views', 'billing_export_columns'
        ]) stable LEFT JOIN unnest(own) one ON true
        GROUP BY stable
        UNION ALL
        SELECT view.name || suffix, format('SELECT * FROM %I.%I', current_schema(), view.name || suffix)
        FROM ingestion_exportview view
            JOIN ingestion_export export ON export.id = view.export_id AND export.connection_id = ANY (own),
            unnest(ARRAY['', '_all']) suffix
        WHERE view.made_at IS NOT NULL
    LOOP
        -- Without the barrier a function of the reader's could be shown rows before the view has left them out.
        EXECUTE format('CREATE OR REPLACE VIEW %I.%I WITH (security_barrier) AS %s', home, shown.name, shown.query);
        EXECUTE format('GRANT SELECT ON %I.%I TO %I', home, shown.name, home);
        FOR col IN
            SELECT attname, attnum, coalesce(col_description(attrelid, attnum), '') AS told
            FROM pg_attribute
            WHERE attrelid = to_regclass(format('%I.%I', current_schema(), shown.name)) AND attnum > 0
        LOOP
            EXECUTE format('COMMENT ON COLUMN %I.%I.%I IS %L', home, shown.name, col.attname, col.told);
        END LOOP;
        EXECUTE format('COMMENT ON VIEW %I.%I IS %L', home, shown.name,
            obj_description(to_regclass(format('%I.%I', current_schema(), shown.name)), 'pg_class'));
        wanted := wanted || shown.name;
    END LOOP;
    -- The schema is KCX's own. What is left of a connection that is another client's now shows that client's
    -- rows; so does what anybody has built upon it.
    FOR surplus IN
        SELECT relname FROM pg_class
        WHERE relnamespace = to_regnamespace(quote_ident(home)) AND relkind = 'v' AND relname <> ALL (wanted)
    LOOP
        EXECUTE format('DROP VIEW IF EXISTS %I.%I CASCADE', home, surplus);
    END LOOP;
    -- Of the reader's own rights, and inlined: conditions reach the tables.
    EXECUTE format('CREATE OR REPLACE FUNCTION %1$I.billing_rows_as_of(moment timestamptz)
        RETURNS SETOF %1$I.billing_rows_all LANGUAGE sql STABLE AS $f$
        SELECT client, connection, connection_id, export, family, billing_period, delivery, source_key, source_etag,
            source_file_id, row_number, columns, "values", data
        FROM %1$I.billing_rows_published
        WHERE published_at <= moment AND moment < coalesce(superseded_at, ''infinity'') $f$', home);
    EXECUTE format('COMMENT ON FUNCTION %I.billing_rows_as_of(timestamptz) IS %L', home,
        'The rows of the deliveries that were current at that moment.');
    EXECUTE format('REVOKE ALL ON FUNCTION %I.billing_rows_as_of(timestamptz) FROM PUBLIC', home);
    EXECUTE format('GRANT EXECUTE ON FUNCTION %1$I.billing_rows_as_of(timestamptz) TO %1$I', home);
    EXECUTE format('CREATE OR REPLACE FUNCTION %I.billing_value(columns text[], "values" text[], name text)
        RETURNS text LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS %L', home,
        (SELECT prosrc FROM pg_proc WHERE oid = to_regprocedure(format('%I.billing_value(text[],text[],text)', current_schema()))));
    EXECUTE format('COMMENT ON FUNCTION %I.billing_value(text[], text[], text) IS %L', home,
        'One cell by its column''s name; raises where the layout lacks the name or has it twice.');
    EXECUTE format('REVOKE ALL ON FUNCTION %I.billing_value(text[], text[], text) FROM PUBLIC', home);
    EXECUTE format('GRANT EXECUTE ON FUNCTION %1$I.billing_value(text[], text[], text) TO %1$I', home);
    UPDATE ingestion_clientschema SET connections = own, made_at = clock_timestamp() WHERE client_id = of_client;
END $$;
"""

# To replace a function takes this from it; pg_temp last: else a session's temporary tables would hide ours.
FIX = """
DO $$
DECLARE
    fixed regprocedure;
BEGIN
    FOREACH fixed IN ARRAY ARRAY[
        'ingestion_freeze_connection()', 'ingestion_make_client_views(bigint)'
    ]::regprocedure[]
    LOOP
        EXECUTE format('ALTER FUNCTION %s SET search_path = %I, pg_temp', fixed, current_schema());
    END LOOP;
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("ingestion", "0040_manifest_columns")]
    # Undone with 0002 and 0019, which made them: until then nothing needs what they allowed.
    operations = [migrations.RunSQL(FREEZE + CLIENT_VIEWS + FIX, migrations.RunSQL.noop)]
