"""Receipts, chained per connection and append-only; a load attempt no longer keeps one of its own."""

import django.db.models.deletion
from django.db import migrations, models


GUARDS = """
CREATE FUNCTION ingestion_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'insufficient_privilege';
END $$;

CREATE FUNCTION ingestion_append_only(guarded regclass) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('CREATE TRIGGER ingestion_no_change BEFORE UPDATE OR DELETE ON %s
                    FOR EACH STATEMENT EXECUTE FUNCTION ingestion_refuse_change()', guarded);
    EXECUTE format('CREATE TRIGGER ingestion_no_truncate BEFORE TRUNCATE ON %s
                    FOR EACH STATEMENT EXECUTE FUNCTION ingestion_refuse_change()', guarded);
    EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER ingestion_no_change', guarded);
    EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER ingestion_no_truncate', guarded);
END $$;

SELECT ingestion_append_only('ingestion_receipt');

CREATE TRIGGER ingestion_keep BEFORE DELETE ON ingestion_receiptchain
    FOR EACH STATEMENT EXECUTE FUNCTION ingestion_refuse_delete();
"""

UNDO_GUARDS = """
DROP TRIGGER ingestion_keep ON ingestion_receiptchain;
DROP TRIGGER ingestion_no_truncate ON ingestion_receipt;
DROP TRIGGER ingestion_no_change ON ingestion_receipt;
DROP FUNCTION ingestion_append_only(regclass);
DROP FUNCTION ingestion_refuse_change();
"""


class Migration(migrations.Migration):

    dependencies = [
        ('ingestion', '0003_attempt_evidence'),
    ]

    operations = [
        migrations.RemoveField(
            model_name='loadattempt',
            name='receipt',
        ),
        migrations.CreateModel(
            name='ReceiptChain',
            fields=[
                ('connection', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, primary_key=True, related_name='receipt_chain', serialize=False, to='ingestion.clientconnection')),
                ('sequence', models.BigIntegerField(default=0)),
                ('sha256', models.CharField(default='0000000000000000000000000000000000000000000000000000000000000000', max_length=64, verbose_name='SHA-256')),
            ],
            options={
                'constraints': [models.CheckConstraint(condition=models.Q(models.Q(('sequence', 0), ('sha256', '0000000000000000000000000000000000000000000000000000000000000000')), models.Q(('sequence__gt', 0), ('sha256__regex', '^[0-9a-f]{64}$')), _connector='OR'), name='receiptchain_head')],
            },
        ),
        migrations.CreateModel(
            name='Receipt',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('sequence', models.BigIntegerField()),
                ('kind', models.CharField(choices=[('FILE', 'File'), ('DELIVERY', 'Delivery')], max_length=10)),
                ('body', models.TextField()),
                ('previous_sha256', models.CharField(max_length=64, verbose_name='SHA-256 of the one before')),
                ('sha256', models.CharField(max_length=64, verbose_name='SHA-256')),
                ('created_at', models.DateTimeField()),
                ('connection', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='receipts', to='ingestion.clientconnection')),
                ('delivery', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='receipts', to='ingestion.delivery')),
                ('source_file', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='receipts', to='ingestion.sourcefile')),
            ],
            options={
                'ordering': ['-id'],
                'indexes': [models.Index(fields=['source_file', '-sequence'], name='receipt_file'), models.Index(fields=['delivery', '-sequence'], name='receipt_delivery')],
                'constraints': [models.UniqueConstraint(fields=('connection', 'sequence'), name='receipt_sequence'), models.CheckConstraint(condition=models.Q(models.Q(('delivery', None), ('kind', 'FILE'), ('source_file__isnull', False)), models.Q(('delivery__isnull', False), ('kind', 'DELIVERY'), ('source_file', None)), _connector='OR'), name='receipt_is_of_one_thing'), models.CheckConstraint(condition=models.Q(('previous_sha256__regex', '^[0-9a-f]{64}$'), ('sha256__regex', '^[0-9a-f]{64}$')), name='receipt_hashes'), models.CheckConstraint(condition=models.Q(models.Q(('previous_sha256', '0000000000000000000000000000000000000000000000000000000000000000'), ('sequence', 1)), models.Q(('sequence__gt', 1), models.Q(('previous_sha256', '0000000000000000000000000000000000000000000000000000000000000000'), _negated=True)), _connector='OR'), name='receipt_first')],
            },
        ),
        migrations.RunSQL(GUARDS, UNDO_GUARDS),
    ]
