"""No session's own table, no TRUNCATE and no replicating session gets round the guards; verifications go on."""

from django.db import migrations, models

# pg_temp last: otherwise a session's temporary table would be looked at in place of KCX's own.
PATHS = """
DO $$
DECLARE
    guard regprocedure;
BEGIN
    FOR guard IN
        SELECT oid FROM pg_proc
        WHERE pronamespace = (SELECT oid FROM pg_namespace WHERE nspname = current_schema())
            AND prorettype = 'trigger'::regtype AND proname ~ '^(billing|ingestion)_'
    LOOP
        EXECUTE format('ALTER FUNCTION %s SET search_path = %I, pg_temp', guard, current_schema());
    END LOOP;
END $$;
"""
KEPT = ["sourcefile", "delivery", "loadattempt", "discoveryrun", "accesscheck", "staffaction", "receiptchain"]
TRUNCATES = "".join(
    f"""
CREATE TRIGGER ingestion_no_truncate BEFORE TRUNCATE ON ingestion_{table}
    FOR EACH STATEMENT EXECUTE FUNCTION ingestion_refuse_change();
"""
    for table in KEPT
)
# A replicating session skips ordinary triggers.
ALWAYS = """
DO $$
DECLARE
    guard record;
BEGIN
    FOR guard IN
        SELECT tgrelid::regclass AS guarded, tgname FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid
        WHERE relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = current_schema())
            AND tgname IN ('ingestion_keep', 'ingestion_closed', 'ingestion_frozen', 'ingestion_no_truncate')
    LOOP
        EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER %I', guard.guarded, guard.tgname);
    END LOOP;
END $$;
"""
UNDO = "".join(f"DROP TRIGGER ingestion_no_truncate ON ingestion_{table};" for table in KEPT)


class Migration(migrations.Migration):
    dependencies = [("ingestion", "0037_purge")]
    operations = [
        migrations.RunSQL(PATHS + TRUNCATES + ALWAYS, UNDO),
        migrations.AddField(
            model_name="verificationrequest",
            name="done_up_to",
            field=models.BigIntegerField(default=0, help_text="Of a connection: the last file compared so far."),
        ),
        migrations.AddIndex(
            model_name="verification",
            index=models.Index(
                condition=models.Q(("outcome", "DIFFERENT")), fields=["id"], name="verification_different"
            ),
        ),
    ]
