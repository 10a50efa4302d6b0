"""The id of the export in every view, for two exports may have one name; what a delivery changed, and its key."""

from django.db import migrations

# As 0002 and 0019 made them, and one column or more at the end: what others built on a view stays.
WHOSE = """
    client.name AS client,
    connection.name AS connection,
    connection.id AS connection_id,
    export.name AS export,
    export.family AS family
"""
COLUMNS = f"""{WHOSE},
    file.billing_period_start AS billing_period,
    delivery.id AS delivery,
    file.key AS source_key,
    file.etag AS source_etag,
    file.id AS source_file_id,
    raw.row_number AS row_number,
    layout.names AS columns,
    raw."values" AS "values",
    jsonb_object(layout.names, raw."values") AS data
"""
ROWS = """
    JOIN billing_columnlayout layout ON layout.id = file.layout_id
    JOIN ingestion_clientconnection connection ON connection.id = file.connection_id
    JOIN ingestion_client client ON client.id = connection.client_id
    JOIN billing_rawrow raw ON raw.connection_id = file.connection_id AND raw.source_file_id = file.id
    LEFT JOIN ingestion_export export ON export.id = file.export_id
"""
DELIVERED = f"""
FROM ingestion_delivery delivery
    JOIN ingestion_deliveryfile held ON held.delivery_id = delivery.id
    JOIN ingestion_sourcefile file ON file.id = held.source_file_id
    {ROWS}
"""
SCOPE = """
    JOIN ingestion_deliveryscope scope ON scope.id = delivery.scope_id
    JOIN ingestion_export export ON export.id = scope.export_id
    JOIN ingestion_clientconnection connection ON connection.id = export.connection_id
"""

ROW_VIEWS = f"""
CREATE OR REPLACE VIEW billing_rows_all AS
SELECT {COLUMNS},
    file.export_id AS export_id
FROM ingestion_sourcefile file
    {ROWS}
    LEFT JOIN LATERAL (
        SELECT newest.id
        FROM ingestion_deliveryfile held
            JOIN ingestion_delivery newest ON newest.id = held.delivery_id
        WHERE held.source_file_id = file.id
        ORDER BY newest.delivered_at DESC, newest.snapshot_id DESC
        LIMIT 1
    ) delivery ON true;

CREATE OR REPLACE VIEW billing_rows_current AS
SELECT {COLUMNS},
    file.export_id AS export_id
{DELIVERED}
WHERE delivery.status = 'CURRENT';

CREATE OR REPLACE VIEW billing_rows_published AS
SELECT {COLUMNS},
    delivery.published_at AS published_at,
    delivery.superseded_at AS superseded_at,
    file.export_id AS export_id
{DELIVERED}
WHERE delivery.published_at IS NOT NULL;

-- Its rows are those of billing_rows_all, which has a column more now.
CREATE OR REPLACE FUNCTION billing_rows_as_of(moment timestamptz) RETURNS SETOF billing_rows_all
LANGUAGE sql STABLE AS $$
SELECT {COLUMNS},
    file.export_id AS export_id
{DELIVERED}
WHERE delivery.published_at <= moment AND moment < coalesce(delivery.superseded_at, 'infinity')
$$;
"""

REGISTRY = f"""
CREATE OR REPLACE VIEW billing_files AS
SELECT {WHOSE},
    file.billing_period_start AS billing_period,
    file.id AS source_file_id,
    file.key AS source_key,
    file.etag AS source_etag,
    file.size AS size,
    file.last_modified AS last_modified,
    file.status AS status,
    file.skip_reason AS skip_reason,
    file.error_code AS error_code,
    file.first_seen_at AS first_seen_at,
    file.ingested_at AS ingested_at,
    file.row_count AS row_count,
    layout.digest AS layout_digest,
    file.object_sha256 AS object_sha256,
    file.rows_sha256 AS rows_sha256,
    file.export_id AS export_id
FROM ingestion_sourcefile file
    JOIN ingestion_clientconnection connection ON connection.id = file.connection_id
    JOIN ingestion_client client ON client.id = connection.client_id
    LEFT JOIN ingestion_export export ON export.id = file.export_id
    LEFT JOIN billing_columnlayout layout ON layout.id = file.layout_id;

CREATE OR REPLACE VIEW billing_deliveries AS
SELECT {WHOSE},
    scope.billing_period_start AS billing_period,
    delivery.id AS delivery,
    delivery.snapshot_id AS snapshot_id,
    delivery.status AS status,
    delivery.reason AS reason,
    delivery.delivered_at AS delivered_at,
    delivery.first_seen_at AS first_seen_at,
    delivery.published_at AS published_at,
    delivery.superseded_at AS superseded_at,
    scope.export_id AS export_id,
    scope.key AS key,
    delivery.restatement AS restatement
FROM ingestion_delivery delivery
    {SCOPE}
    JOIN ingestion_client client ON client.id = connection.client_id;

CREATE OR REPLACE VIEW billing_delivery_files AS
SELECT
    connection.name AS connection,
    connection.id AS connection_id,
    delivery.id AS delivery,
    held.source_file_id AS source_file_id,
    held.last_modified AS last_modified,
    delivery.published_at AS published_at,
    delivery.superseded_at AS superseded_at,
    scope.export_id AS export_id
FROM ingestion_delivery delivery
    JOIN ingestion_deliveryfile held ON held.delivery_id = delivery.id
    {SCOPE};

CREATE OR REPLACE VIEW billing_deliveries_never_current AS
SELECT
    connection.name AS connection,
    connection.id AS connection_id,
    export.name AS export,
    scope.billing_period_start AS billing_period,
    delivery.id AS delivery,
    delivery.snapshot_id AS snapshot_id,
    delivery.delivered_at AS delivered_at,
    delivery.status AS status,
    delivery.reason AS reason,
    scope.export_id AS export_id
FROM ingestion_delivery delivery
    {SCOPE}
WHERE delivery.published_at IS NULL;
"""

TELL = """
DO $$
DECLARE
    grown regclass;
BEGIN
    FOREACH grown IN ARRAY ARRAY[
        'billing_rows_all', 'billing_rows_current', 'billing_rows_published', 'billing_files', 'billing_deliveries',
        'billing_delivery_files', 'billing_deliveries_never_current'
    ]::regclass[]
    LOOP
        EXECUTE format('COMMENT ON COLUMN %s.export_id IS %L', grown,
            'The export''s id: two exports may have one name. Null where a file belongs to none.');
    END LOOP;
END $$;
COMMENT ON COLUMN billing_deliveries.key IS
    'The object''s key, where files come without manifests and each has deliveries of its own; else empty.';
COMMENT ON COLUMN billing_deliveries.restatement IS
    'Against the delivery that was current before: files added, changed and gone, rows before and after, columns that came and went. Null where there was none.';
"""

# As 0041 made it, but for billing_rows_as_of: it has the columns that billing_rows_all has, however many.
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
        SELECT %2$s FROM %1$I.billing_rows_published
        WHERE published_at <= moment AND moment < coalesce(superseded_at, ''infinity'') $f$', home,
        (SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) FROM pg_attribute
         WHERE attrelid = to_regclass(format('%I.billing_rows_all', home)) AND attnum > 0));
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
BEGIN
    EXECUTE format('ALTER FUNCTION ingestion_make_client_views(bigint) SET search_path = %I, pg_temp', current_schema());
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("ingestion", "0044_focus_of_any_version")]
    # Undone with 0002 and 0019, which made them: no view loses a column, and until then nothing minds one more.
    # The schemas of clients follow with the next sweep, which compares their views with these.
    operations = [
        migrations.RunSQL(ROW_VIEWS + REGISTRY + TELL + CLIENT_VIEWS + FIX, migrations.RunSQL.noop),
    ]
