"""What the models cannot say: history that stays, frozen connections, and the views downstream reads."""

from django.db import migrations

GUARDS = """
CREATE FUNCTION ingestion_refuse_delete() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the history in % is never deleted', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END $$;

CREATE TRIGGER ingestion_keep BEFORE DELETE ON ingestion_sourcefile
    FOR EACH STATEMENT EXECUTE FUNCTION ingestion_refuse_delete();
CREATE TRIGGER ingestion_keep BEFORE DELETE ON ingestion_delivery
    FOR EACH STATEMENT EXECUTE FUNCTION ingestion_refuse_delete();
CREATE TRIGGER ingestion_keep BEFORE DELETE ON ingestion_loadattempt
    FOR EACH STATEMENT EXECUTE FUNCTION ingestion_refuse_delete();
CREATE TRIGGER ingestion_keep BEFORE DELETE ON ingestion_discoveryrun
    FOR EACH STATEMENT EXECUTE FUNCTION ingestion_refuse_delete();

CREATE FUNCTION ingestion_freeze_connection() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.external_id <> OLD.external_id THEN
        RAISE EXCEPTION 'the external id of connection % is never changed', OLD.id USING ERRCODE = 'check_violation';
    END IF;
    IF EXISTS (SELECT FROM ingestion_sourcefile WHERE connection_id = OLD.id) THEN
        RAISE EXCEPTION 'bucket and prefix of connection % are frozen: it has files', OLD.id
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER ingestion_frozen BEFORE UPDATE ON ingestion_clientconnection FOR EACH ROW
    WHEN ((OLD.bucket, OLD.prefix, OLD.external_id) IS DISTINCT FROM (NEW.bucket, NEW.prefix, NEW.external_id))
    EXECUTE FUNCTION ingestion_freeze_connection();
"""

UNDO_GUARDS = """
DROP TRIGGER ingestion_frozen ON ingestion_clientconnection;
DROP FUNCTION ingestion_freeze_connection();
DROP TRIGGER ingestion_keep ON ingestion_discoveryrun;
DROP TRIGGER ingestion_keep ON ingestion_loadattempt;
DROP TRIGGER ingestion_keep ON ingestion_delivery;
DROP TRIGGER ingestion_keep ON ingestion_sourcefile;
DROP FUNCTION ingestion_refuse_delete();
"""

# Named as the client's own columns are looked up: billing_value(columns, "values", 'lineItem/UnblendedCost').
VALUE = """
CREATE FUNCTION billing_value(columns text[], "values" text[], name text) RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
    places int[] := array_positions(columns, name);
BEGIN
    IF cardinality(places) = 0 THEN
        RAISE EXCEPTION 'this layout has no column "%"', name USING ERRCODE = 'undefined_column';
    ELSIF cardinality(places) > 1 THEN
        RAISE EXCEPTION 'this layout has % columns "%"', cardinality(places), name
            USING ERRCODE = 'ambiguous_column', HINT = 'Take it from "values" by position.';
    END IF;
    RETURN "values"[places[1]];
END $$;
COMMENT ON FUNCTION billing_value(text[], text[], text) IS
    'One cell by its column''s name, without building the jsonb; raises where the layout lacks the name or has it twice.';
"""

COLUMNS = """
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
    jsonb_object(layout.names, raw."values") AS data
"""

ROWS = """
    JOIN billing_columnlayout layout ON layout.id = file.layout_id
    JOIN ingestion_clientconnection connection ON connection.id = file.connection_id
    JOIN ingestion_client client ON client.id = connection.client_id
    JOIN billing_rawrow raw ON raw.connection_id = file.connection_id AND raw.source_file_id = file.id
"""

VIEWS = f"""
CREATE VIEW billing_rows_all AS
SELECT {COLUMNS}
FROM ingestion_sourcefile file
    {ROWS}
    LEFT JOIN ingestion_export export ON export.id = file.export_id
    LEFT JOIN LATERAL (
        SELECT newest.id
        FROM ingestion_deliveryfile held
            JOIN ingestion_delivery newest ON newest.id = held.delivery_id
        WHERE held.source_file_id = file.id
        ORDER BY newest.delivered_at DESC, newest.snapshot_id DESC
        LIMIT 1
    ) delivery ON true;

CREATE VIEW billing_rows_current AS
SELECT {COLUMNS}
FROM ingestion_delivery delivery
    JOIN ingestion_deliveryfile held ON held.delivery_id = delivery.id
    JOIN ingestion_sourcefile file ON file.id = held.source_file_id
    {ROWS}
    LEFT JOIN ingestion_export export ON export.id = file.export_id
WHERE delivery.status = 'CURRENT';

-- What KCX showed at a moment. Inlined by the planner, so that the conditions around it reach the tables.
CREATE FUNCTION billing_rows_as_of(moment timestamptz) RETURNS SETOF billing_rows_all LANGUAGE sql STABLE AS $$
SELECT {COLUMNS}
FROM ingestion_delivery delivery
    JOIN ingestion_deliveryfile held ON held.delivery_id = delivery.id
    JOIN ingestion_sourcefile file ON file.id = held.source_file_id
    {ROWS}
    LEFT JOIN ingestion_export export ON export.id = file.export_id
WHERE delivery.published_at <= moment AND moment < coalesce(delivery.superseded_at, 'infinity')
$$;
COMMENT ON FUNCTION billing_rows_as_of(timestamptz) IS
    'The rows of the deliveries that were current at that moment.';

CREATE VIEW billing_deliveries_never_current AS
SELECT
    connection.name AS connection,
    connection.id AS connection_id,
    export.name AS export,
    scope.billing_period_start AS billing_period,
    delivery.id AS delivery,
    delivery.snapshot_id AS snapshot_id,
    delivery.delivered_at AS delivered_at,
    delivery.status AS status,
    delivery.reason AS reason
FROM ingestion_delivery delivery
    JOIN ingestion_deliveryscope scope ON scope.id = delivery.scope_id
    JOIN ingestion_export export ON export.id = scope.export_id
    JOIN ingestion_clientconnection connection ON connection.id = export.connection_id
WHERE delivery.published_at IS NULL;
COMMENT ON VIEW billing_deliveries_never_current IS
    'What AWS delivered and KCX never showed: the gaps of billing_rows_as_of, each with its reason.';

COMMENT ON VIEW billing_rows_all IS
    'Every raw row once, superseded ones too; delivery is the newest that holds it.';
COMMENT ON VIEW billing_rows_current IS
    'The rows of the current deliveries. One statement never sees half a delivery, or two of one scope.';
COMMENT ON COLUMN billing_rows_current.data IS
    'The row by column name; of duplicate names the last: "values" with columns is the truth.';
COMMENT ON COLUMN billing_rows_all.data IS
    'The row by column name; of duplicate names the last: "values" with columns is the truth.';
"""

UNDO_VIEWS = """
DROP VIEW billing_deliveries_never_current;
DROP FUNCTION billing_rows_as_of(timestamptz);
DROP VIEW billing_rows_current;
DROP VIEW billing_rows_all;
DROP FUNCTION billing_value(text[], text[], text);
"""


class Migration(migrations.Migration):
    dependencies = [("ingestion", "0001_initial"), ("billing", "0002_raw_rows")]
    operations = [
        migrations.RunSQL(GUARDS, UNDO_GUARDS),
        migrations.RunSQL(VALUE + VIEWS, UNDO_VIEWS),
    ]
