"""A connection stays its client's from the start: its role and external id were made for that client."""

from django.db import migrations

FREEZE = """
CREATE OR REPLACE FUNCTION ingestion_freeze_connection() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.external_id, NEW.client_id) IS DISTINCT FROM (OLD.external_id, OLD.client_id) THEN
        RAISE EXCEPTION 'the client and the external id of connection % are never changed', OLD.id
            USING ERRCODE = 'check_violation';
    END IF;
    IF EXISTS (SELECT FROM ingestion_sourcefile WHERE connection_id = OLD.id) THEN
        RAISE EXCEPTION 'bucket and prefix of connection % are frozen: it has files', OLD.id
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;

DO $$
BEGIN
    -- To replace a function takes this from it; pg_temp last: else a session's temporary tables would hide ours.
    EXECUTE format('ALTER FUNCTION ingestion_freeze_connection() SET search_path = %I, pg_temp', current_schema());
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("ingestion", "0042_failed_reloads")]
    # Undone with 0002, which made it: until then nothing needs what it allowed.
    operations = [migrations.RunSQL(FREEZE, migrations.RunSQL.noop)]
