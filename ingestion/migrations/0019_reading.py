"""What people and tools read by SQL: the registry's views, a view per export, a schema per client."""

from django.db import migrations
from psycopg import sql

WHOSE = """
    client.name AS client,
    connection.name AS connection,
    connection.id AS connection_id,
    export.name AS export,
    export.family AS family
"""

# The registry, as SQL reads it. Columns are only ever added, and at the end: others build on these.
REGISTRY = f"""
CREATE VIEW billing_files AS
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
    file.rows_sha256 AS rows_sha256
FROM ingestion_sourcefile file
    JOIN ingestion_clientconnection connection ON connection.id = file.connection_id
    JOIN ingestion_client client ON client.id = connection.client_id
    LEFT JOIN ingestion_export export ON export.id = file.export_id
    LEFT JOIN billing_columnlayout layout ON layout.id = file.layout_id;

CREATE VIEW billing_deliveries AS
SELECT {WHOSE},
    scope.billing_period_start AS billing_period,
    delivery.id AS delivery,
    delivery.snapshot_id AS snapshot_id,
    delivery.status AS status,
    delivery.reason AS reason,
    delivery.delivered_at AS delivered_at,
    delivery.first_seen_at AS first_seen_at,
    delivery.published_at AS published_at,
    delivery.superseded_at AS superseded_at
FROM ingestion_delivery delivery
    JOIN ingestion_deliveryscope scope ON scope.id = delivery.scope_id
    JOIN ingestion_export export ON export.id = scope.export_id
    JOIN ingestion_clientconnection connection ON connection.id = export.connection_id
    JOIN ingestion_client client ON client.id = connection.client_id;

CREATE VIEW billing_delivery_files AS
SELECT
    connection.name AS connection,
    connection.id AS connection_id,
    delivery.id AS delivery,
    held.source_file_id AS source_file_id,
    held.last_modified AS last_modified,
    delivery.published_at AS published_at,
    delivery.superseded_at AS superseded_at
FROM ingestion_delivery delivery
    JOIN ingestion_deliveryfile held ON held.delivery_id = delivery.id
    JOIN ingestion_deliveryscope scope ON scope.id = delivery.scope_id
    JOIN ingestion_export export ON export.id = scope.export_id
    JOIN ingestion_clientconnection connection ON connection.id = export.connection_id;

CREATE VIEW billing_rows_published AS
SELECT
    client.name AS client,
    connection.name AS connection,
    connection.id AS connection_id,
    export.name AS export,
    export.family AS family,
    file.billing_period_start AS billing_period,
    delivery.id AS delivery,
    file.key AS source_key,
    file.etag AS source_etag,
    file.id AS source_file_id,
    raw.row_number AS row_number,
    layout.names AS columns,
    raw."values" AS "values",
    jsonb_object(layout.names, raw."values") AS data,
    delivery.published_at AS published_at,
    delivery.superseded_at AS superseded_at
FROM ingestion_delivery delivery
    JOIN ingestion_deliveryfile held ON held.delivery_id = delivery.id
    JOIN ingestion_sourcefile file ON file.id = held.source_file_id
    JOIN billing_columnlayout layout ON layout.id = file.layout_id
    JOIN ingestion_clientconnection connection ON connection.id = file.connection_id
    JOIN ingestion_client client ON client.id = connection.client_id
    JOIN billing_rawrow raw ON raw.connection_id = file.connection_id AND raw.source_file_id = file.id
    LEFT JOIN ingestion_export export ON export.id = file.export_id
WHERE delivery.published_at IS NOT NULL;

CREATE VIEW billing_export_views AS
SELECT {WHOSE},
    export.id AS export_id,
    shown.name AS view,
    shown.columns AS columns,
    (SELECT count(*) FROM ingestion_exportviewcolumn col WHERE col.export_id = export.id AND col.name IS NULL)
        AS columns_left_out,
    shown.made_at AS made_at
FROM ingestion_exportview shown
    JOIN ingestion_export export ON export.id = shown.export_id
    JOIN ingestion_clientconnection connection ON connection.id = export.connection_id
    JOIN ingestion_client client ON client.id = connection.client_id;

CREATE VIEW billing_export_columns AS
SELECT
    connection.name AS connection,
    connection.id AS connection_id,
    export.name AS export,
    export.id AS export_id,
    shown.name AS view,
    col.position AS column_position,
    col.name AS column_name,
    col.source_name AS source_column,
    col.occurrence AS occurrence,
    layout.digest AS layout_digest,
    place.found AS source_position,
    layout.types[place.found] AS source_type,
    CASE WHEN col.name IS NULL THEN 'left out: a view has at most 1600 columns; take it from "values"' ELSE '' END
        AS remark
FROM ingestion_exportviewcolumn col
    JOIN ingestion_exportview shown ON shown.export_id = col.export_id
    JOIN ingestion_export export ON export.id = col.export_id
    JOIN ingestion_clientconnection connection ON connection.id = export.connection_id
    JOIN ingestion_exportviewlayout entered ON entered.export_id = col.export_id
    JOIN billing_columnlayout layout ON layout.id = entered.layout_id
    CROSS JOIN LATERAL (
        SELECT (array_positions(layout.names, col.source_name))[col.occurrence] AS found
    ) place
WHERE place.found IS NOT NULL;
"""

NAMES = """
ALTER TABLE ingestion_exportviewlayout ALTER COLUMN positions SET STORAGE PLAIN;

CREATE FUNCTION ingestion_fit(name text, suffix text, bytes int) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
    cut text := left(name, bytes);
BEGIN
    WHILE octet_length(cut) + octet_length(suffix) > bytes LOOP
        cut := left(cut, -1);
    END LOOP;
    RETURN cut || suffix;
END $$;

CREATE FUNCTION ingestion_slug(name text, fallback text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT coalesce(nullif(trim('_' FROM regexp_replace(lower(name COLLATE "C"), '[^a-z0-9]+', '_', 'g')), ''), fallback)
$$;

-- The name of an export's view, given once. Four bytes are kept free for '_all'.
CREATE FUNCTION ingestion_name_view(of_export bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    wished text;
    chosen text;
    tried int := 1;
BEGIN
    IF EXISTS (SELECT FROM ingestion_exportview WHERE export_id = of_export) THEN
        RETURN;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtextextended('ingestion_name_view', 0));
    SELECT format('billing_export_%s_%s', ingestion_slug(client.name, 'client_' || client.id),
                  ingestion_slug(export.name, 'export_' || export.id))
    INTO wished
    FROM ingestion_export export
        JOIN ingestion_clientconnection connection ON connection.id = export.connection_id
        JOIN ingestion_client client ON client.id = connection.client_id
    WHERE export.id = of_export;
    LOOP
        chosen := ingestion_fit(wished, CASE WHEN tried = 1 THEN '' ELSE '_' || tried END, 59);
        EXIT WHEN to_regclass(format('%I.%I', current_schema(), chosen)) IS NULL
            AND to_regclass(format('%I.%I', current_schema(), chosen || '_all')) IS NULL
            AND NOT EXISTS (
                SELECT FROM ingestion_exportview
                WHERE name IN (chosen, chosen || '_all') OR name || '_all' = chosen
            );
        tried := tried + 1;
    END LOOP;
    INSERT INTO ingestion_exportview (export_id, name, columns) VALUES (of_export, chosen, 0);
END $$;

-- 1600 less the four that every view begins with.
CREATE FUNCTION ingestion_name_column(of_export bigint, source text, nth int) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    place int := 1 + coalesce(
        (SELECT max(col.position) FROM ingestion_exportviewcolumn col WHERE col.export_id = of_export), 0);
    chosen text;
    tried int := nth;
BEGIN
    IF place > 1596 THEN
        INSERT INTO ingestion_exportviewcolumn (export_id, source_name, occurrence)
        VALUES (of_export, source, nth);
        RETURN;
    END IF;
    LOOP
        chosen := ingestion_fit(source, CASE WHEN tried = 1 THEN '' ELSE '_' || tried END, 63);
        EXIT WHEN lower(chosen) NOT IN
                ('kcx_billing_period', 'kcx_delivery', 'kcx_source_file_id', 'kcx_row_number')
            AND NOT EXISTS (
                SELECT FROM ingestion_exportviewcolumn col
                WHERE col.export_id = of_export AND lower(col.name) = lower(chosen)
            );
        tried := tried + 1;
    END LOOP;
    INSERT INTO ingestion_exportviewcolumn (export_id, source_name, occurrence, position, name)
    VALUES (of_export, source, nth, place, chosen);
END $$;

CREATE FUNCTION ingestion_enter_layout(of_export bigint, of_layout bigint) RETURNS void
LANGUAGE plpgsql STRICT SECURITY DEFINER AS $$
DECLARE
    source record;
BEGIN
    IF EXISTS (SELECT FROM ingestion_exportviewlayout WHERE export_id = of_export AND layout_id = of_layout) THEN
        RETURN;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtextextended('ingestion_enter_layout', of_export));
    PERFORM ingestion_name_view(of_export);
    FOR source IN
        SELECT own.name, own.nth
        FROM (
            SELECT name, place, row_number() OVER (PARTITION BY name ORDER BY place)::int AS nth
            FROM billing_columnlayout layout, unnest(layout.names) WITH ORDINALITY AS of_file(name, place)
            WHERE layout.id = of_layout
        ) own
        WHERE NOT EXISTS (
            SELECT FROM ingestion_exportviewcolumn col
            WHERE col.export_id = of_export AND col.source_name = own.name AND col.occurrence = own.nth
        )
        ORDER BY own.place
    LOOP
        PERFORM ingestion_name_column(of_export, source.name, source.nth);
    END LOOP;
    INSERT INTO ingestion_exportviewlayout (export_id, layout_id, positions)
    SELECT of_export, of_layout, coalesce((
        SELECT array_agg(coalesce(own.place, 0)::int ORDER BY col.position)
        FROM ingestion_exportviewcolumn col
            LEFT JOIN (
                SELECT name, place, row_number() OVER (PARTITION BY name ORDER BY place) AS nth
                FROM billing_columnlayout layout, unnest(layout.names) WITH ORDINALITY AS of_file(name, place)
                WHERE layout.id = of_layout
            ) own ON own.name = col.source_name AND own.nth = col.occurrence
        WHERE col.export_id = of_export AND col.name IS NOT NULL
    ), '{}')
    ON CONFLICT DO NOTHING;
END $$;
COMMENT ON FUNCTION ingestion_enter_layout(bigint, bigint) IS
    'Enters where a layout has the columns of an export''s view; new columns get their names.';
"""

# A join with the positions, and not a branch per layout: a legacy report has a new layout nearly every month.
EXPORT_VIEWS = """
CREATE FUNCTION ingestion_export_query(of_export bigint, all_rows boolean) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT format(
        'SELECT file.billing_period_start AS kcx_billing_period, delivery.id AS kcx_delivery,
            file.id AS kcx_source_file_id, raw.row_number AS kcx_row_number%s
        FROM %s
            JOIN %I.ingestion_exportviewlayout place ON place.export_id = %s AND place.layout_id = file.layout_id
            JOIN %I.billing_rawrow raw ON raw.connection_id = %s AND raw.source_file_id = file.id
        WHERE file.connection_id = %s AND %s',
        (
            SELECT string_agg(
                format(', raw."values"[place.positions[%s]] AS %I', col.position, col.name), '' ORDER BY col.position)
            FROM ingestion_exportviewcolumn col
            WHERE col.export_id = of_export AND col.name IS NOT NULL
        ),
        CASE WHEN all_rows THEN format(
            '%1$I.ingestion_sourcefile file LEFT JOIN LATERAL (
                SELECT newest.id
                FROM %1$I.ingestion_deliveryfile held
                    JOIN %1$I.ingestion_delivery newest ON newest.id = held.delivery_id
                WHERE held.source_file_id = file.id
                ORDER BY newest.delivered_at DESC, newest.snapshot_id DESC
                LIMIT 1
            ) delivery ON true', current_schema())
        ELSE format(
            '%1$I.ingestion_deliveryscope scope
                JOIN %1$I.ingestion_delivery delivery ON delivery.scope_id = scope.id
                JOIN %1$I.ingestion_deliveryfile held ON held.delivery_id = delivery.id
                JOIN %1$I.ingestion_sourcefile file ON file.id = held.source_file_id', current_schema())
        END,
        current_schema(), of_export, current_schema(), export.connection_id, export.connection_id,
        CASE WHEN all_rows THEN format('file.export_id = %s', of_export)
        ELSE format('scope.export_id = %s AND delivery.status = ''CURRENT''', of_export) END
    )
    FROM ingestion_export export WHERE export.id = of_export
$$;

-- Whoever reads the current rows reads a new view, too.
CREATE FUNCTION ingestion_grant_as_rows(view regclass) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    granted record;
BEGIN
    FOR granted IN
        SELECT acl.grantee::regrole AS grantee
        FROM pg_class, aclexplode(relacl) acl
        WHERE oid = to_regclass(format('%I.billing_rows_current', current_schema()))
            AND acl.grantee NOT IN (0, relowner) AND acl.privilege_type = 'SELECT'
    LOOP
        EXECUTE format('GRANT SELECT ON %s TO %s', view, granted.grantee);
    END LOOP;
END $$;

CREATE FUNCTION ingestion_make_export_view(of_export bigint) RETURNS void
LANGUAGE plpgsql STRICT SECURITY DEFINER SET lock_timeout = '1s' AS $$
DECLARE
    named record;
    made text;
    all_rows boolean;
    col record;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('ingestion_enter_layout', of_export));
    SELECT shown.name, export.name AS export, connection.name AS connection INTO STRICT named
    FROM ingestion_exportview shown
        JOIN ingestion_export export ON export.id = shown.export_id
        JOIN ingestion_clientconnection connection ON connection.id = export.connection_id
    WHERE shown.export_id = of_export;
    FOREACH all_rows IN ARRAY ARRAY[false, true] LOOP
        made := format('%I.%I', current_schema(), named.name || CASE WHEN all_rows THEN '_all' ELSE '' END);
        -- Columns are only ever added, and at the end: what others built on the view stays.
        EXECUTE format('CREATE OR REPLACE VIEW %s AS %s', made, ingestion_export_query(of_export, all_rows));
        PERFORM ingestion_grant_as_rows(made::regclass);
        EXECUTE format('COMMENT ON VIEW %s IS %L', made, format('%s of export %s of connection %s, by the source''s column names.',
            CASE WHEN all_rows THEN 'Every row, superseded ones too,' ELSE 'The current rows' END,
            named.export, named.connection));
        EXECUTE format('COMMENT ON COLUMN %s.kcx_billing_period IS ''First day of the billing period.''', made);
        EXECUTE format('COMMENT ON COLUMN %s.kcx_delivery IS ''The delivery: see billing_deliveries.''', made);
        EXECUTE format('COMMENT ON COLUMN %s.kcx_source_file_id IS ''The source file: see billing_files.''', made);
        EXECUTE format('COMMENT ON COLUMN %s.kcx_row_number IS ''The row in its file, from 1.''', made);
        FOR col IN
            SELECT * FROM ingestion_exportviewcolumn WHERE export_id = of_export AND name IS NOT NULL
        LOOP
            EXECUTE format('COMMENT ON COLUMN %s.%I IS %L', made, col.name, format('The source''s column "%s"%s, as received.',
                col.source_name, CASE WHEN col.occurrence = 1 THEN '' ELSE format(' (no. %s of this name)', col.occurrence) END));
        END LOOP;
    END LOOP;
    UPDATE ingestion_exportview SET
        made_at = clock_timestamp(),
        columns = (SELECT count(*) FROM ingestion_exportviewcolumn named_ones
                   WHERE named_ones.export_id = of_export AND named_ones.name IS NOT NULL)
    WHERE export_id = of_export;
END $$;
COMMENT ON FUNCTION ingestion_make_export_view(bigint) IS
    'Makes the two views of an export, with the columns entered so far. Waits 1 second for those who read them.';
"""

CLIENT_VIEWS = """
CREATE FUNCTION ingestion_make_client_views(of_client bigint) RETURNS void
LANGUAGE plpgsql STRICT SECURITY DEFINER SET lock_timeout = '1s' AS $$
DECLARE
    home text;
    own bigint[];
    shown record;
    col record;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('ingestion_make_client_views', of_client));
    SELECT name INTO STRICT home FROM ingestion_clientschema WHERE client_id = of_client;
    own := ARRAY(SELECT id FROM ingestion_clientconnection WHERE client_id = of_client ORDER BY id);
    FOR shown IN
        SELECT stable AS name, coalesce(
            string_agg(format('SELECT * FROM %I.%I WHERE connection_id = %s', current_schema(), stable, one), ' UNION ALL ' ORDER BY one),
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
COMMENT ON FUNCTION ingestion_make_client_views(bigint) IS
    'Makes the views of a client''s schema, for the connections and exports it has now.';
"""

# pg_temp last: otherwise a session's temporary tables would hide these.
FIX = """
DO $$
DECLARE
    fixed regprocedure;
BEGIN
    FOREACH fixed IN ARRAY ARRAY[
        'ingestion_fit(text, text, int)', 'ingestion_slug(text, text)', 'ingestion_name_view(bigint)',
        'ingestion_name_column(bigint, text, int)', 'ingestion_enter_layout(bigint, bigint)',
        'ingestion_export_query(bigint, boolean)', 'ingestion_grant_as_rows(regclass)',
        'ingestion_make_export_view(bigint)', 'ingestion_make_client_views(bigint)'
    ]::regprocedure[]
    LOOP
        EXECUTE format('ALTER FUNCTION %s SET search_path = %I, pg_temp', fixed, current_schema());
        EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', fixed);
    END LOOP;
END $$;
"""

UNDO = """
DROP FUNCTION ingestion_make_client_views(bigint);
DROP FUNCTION ingestion_make_export_view(bigint);
DROP FUNCTION ingestion_grant_as_rows(regclass);
DROP FUNCTION ingestion_export_query(bigint, boolean);
DROP FUNCTION ingestion_enter_layout(bigint, bigint);
DROP FUNCTION ingestion_name_column(bigint, text, int);
DROP FUNCTION ingestion_name_view(bigint);
DROP FUNCTION ingestion_slug(text, text);
DROP FUNCTION ingestion_fit(text, text, int);
DO $$
DECLARE
    made record;
BEGIN
    FOR made IN SELECT name FROM ingestion_clientschema LOOP
        EXECUTE format('DROP SCHEMA %I CASCADE', made.name);
    END LOOP;
    FOR made IN SELECT name FROM ingestion_exportview LOOP
        EXECUTE format('DROP VIEW IF EXISTS %I, %I', made.name, made.name || '_all');
    END LOOP;
END $$;
DROP VIEW billing_export_columns, billing_export_views, billing_rows_published, billing_delivery_files,
    billing_deliveries, billing_files;
"""


# One text per column, whichever view it is in.
TOLD = {
    "client": "The client's name.",
    "connection": "The connection's name: one bucket and prefix of the client.",
    "connection_id": "The connection's id. Filter by it: each connection's rows are a partition of their own.",
    "export": "The export's name in AWS; null where a file belongs to none.",
    "export_id": "The export's id.",
    "family": "What the export holds: legacy_cur, cur_2_0, focus_1_0, generic and so on.",
    "billing_period": "First day of the billing period; null where there is none.",
    "delivery": "The delivery's id: one refresh of one billing period. In billing_rows_all the newest that holds the row.",
    "snapshot_id": "AWS's assembly or execution id; a key's ETag where there are no manifests.",
    "source_key": "The object's key in the client's bucket.",
    "source_etag": "The object's ETag: with the key it names the version.",
    "source_file_id": "The source file's id: one version of one object. See billing_files.",
    "row_number": "The row's place in its file, from 1; the header is not a row.",
    "columns": "The source's column names, in its order.",
    "values": "The cells in the order of columns: NULL where the source has no value, '' where it has an empty string.",
    "data": "The row by column name; of duplicate names the last: values with columns is the truth.",
    "published_at": "When KCX made the delivery current; null where it never did.",
    "superseded_at": "When another delivery took over; null where none did.",
    "size": "Bytes, as S3 listed them.",
    "last_modified": "S3's LastModified.",
    "status": "Where it stands: of a file NEW, INGESTED, FAILED or SKIPPED; of a delivery PENDING, CURRENT, SUPERSEDED or INCOMPLETE.",
    "skip_reason": "Why the file is skipped; else empty.",
    "error_code": "Why the file failed; else empty.",
    "first_seen_at": "When KCX first saw it.",
    "ingested_at": "When its rows were stored; null where they are not.",
    "row_count": "How many rows were stored.",
    "layout_digest": "SHA-256 of the column names and types: one layout, however many files share it.",
    "object_sha256": "SHA-256 of the object's bytes, as read.",
    "rows_sha256": "SHA-256 of the stored rows.",
    "reason": "Why the delivery is as it is; else empty.",
    "delivered_at": "AWS's time: LastModified of the manifest, or of the key.",
    "view": "The name of the export's view; with _all added, that of all rows.",
    "columns_left_out": "Columns for which a view of 1600 has no room.",
    "made_at": "When the view was last made.",
    "column_position": "The column's place among the source's columns of the view, from 1.",
    "column_name": "The column's name in the view; null where it was left out.",
    "source_column": "The column's name in the source, exactly.",
    "occurrence": "1, or 2 for the second column of this name in one layout, and so on.",
    "source_position": "The column's place in files of this layout, from 1.",
    "source_type": "The column's Arrow type in files of this layout; string for CSV.",
    "remark": "Why the column is not in the view; else empty.",
}
VIEWS = {
    "billing_rows_all": "Every raw row once, superseded ones too.",
    "billing_rows_current": "The rows of the current deliveries. One statement never sees half a delivery, or two of one scope.",
    "billing_rows_published": "Each row once per delivery that was ever current: see billing_rows_as_of.",
    "billing_files": "The file registry: every version of every object KCX saw.",
    "billing_deliveries": "What AWS delivered: one row per refresh of one billing period.",
    "billing_delivery_files": "Which files each delivery holds; one file may be in several.",
    "billing_deliveries_never_current": "What AWS delivered and KCX never showed, each with its reason.",
    "billing_export_views": "The view of each export, by the source's column names.",
    "billing_export_columns": "Each column of each export's view, per layout that has it.",
}


def tell(apps, schema_editor):
    """Comment every stable view and each of its columns; KeyError where one has no text."""
    with schema_editor.connection.cursor() as cursor:
        for view, told in VIEWS.items():
            cursor.execute(sql.SQL("COMMENT ON VIEW {} IS {}").format(sql.Identifier(view), told))
            cursor.execute(
                "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0", [view]
            )
            for (column,) in cursor.fetchall():
                text = "How many source columns the view has." if (view, column) == COUNTED else TOLD[column]
                name = sql.Identifier(view, column)
                cursor.execute(sql.SQL("COMMENT ON COLUMN {} IS {}").format(name, text))


COUNTED = ("billing_export_views", "columns")


class Migration(migrations.Migration):
    dependencies = [("ingestion", "0018_export_views"), ("billing", "0003_roles")]
    operations = [
        migrations.RunSQL(REGISTRY + NAMES + EXPORT_VIEWS + CLIENT_VIEWS + FIX, UNDO),
        migrations.RunPython(tell, migrations.RunPython.noop),
    ]
