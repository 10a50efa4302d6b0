"""History that is closed is not rewritten, even by the role that wrote it."""

from django.db import migrations

CLOSED = ["ingestion_loadattempt", "ingestion_discoveryrun", "ingestion_accesscheck"]

GUARDS = """
CREATE FUNCTION ingestion_refuse_rewrite() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the history in % is never changed', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END $$;

CREATE TRIGGER ingestion_keep BEFORE DELETE ON ingestion_accesscheck
    FOR EACH STATEMENT EXECUTE FUNCTION ingestion_refuse_delete();
CREATE TRIGGER ingestion_keep BEFORE DELETE ON ingestion_staffaction
    FOR EACH STATEMENT EXECUTE FUNCTION ingestion_refuse_delete();
CREATE TRIGGER ingestion_closed BEFORE UPDATE ON ingestion_staffaction
    FOR EACH ROW EXECUTE FUNCTION ingestion_refuse_rewrite();
""" + "".join(
    f"""
CREATE TRIGGER ingestion_closed BEFORE UPDATE ON {table} FOR EACH ROW
    WHEN (OLD.outcome <> 'RUNNING') EXECUTE FUNCTION ingestion_refuse_rewrite();
"""
    for table in CLOSED
)

UNDO = """
DROP TRIGGER ingestion_keep ON ingestion_accesscheck;
DROP TRIGGER ingestion_keep ON ingestion_staffaction;
DROP FUNCTION ingestion_refuse_rewrite() CASCADE;
"""


class Migration(migrations.Migration):
    dependencies = [("ingestion", "0008_staff_and_access")]
    operations = [migrations.RunSQL(GUARDS, UNDO)]
