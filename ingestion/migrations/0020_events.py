"""The outbox of events, and the webhooks that tell them."""

import django.contrib.postgres.fields
import django.db.models.deletion
import uuid
from django.db import migrations, models


GUARDS = """
SELECT ingestion_append_only('ingestion_event');
SELECT ingestion_append_only('ingestion_webhookdelivery');
""" + "".join(
    f"""
CREATE TRIGGER ingestion_keep BEFORE DELETE ON {table}
    FOR EACH STATEMENT EXECUTE FUNCTION ingestion_refuse_delete();
"""
    for table in ("ingestion_webhookendpoint", "ingestion_webhookmessage")
)

UNDO_GUARDS = """
DROP TRIGGER ingestion_keep ON ingestion_webhookmessage;
DROP TRIGGER ingestion_keep ON ingestion_webhookendpoint;
DROP TRIGGER ingestion_no_truncate ON ingestion_webhookdelivery;
DROP TRIGGER ingestion_no_change ON ingestion_webhookdelivery;
DROP TRIGGER ingestion_no_truncate ON ingestion_event;
DROP TRIGGER ingestion_no_change ON ingestion_event;
"""


class Migration(migrations.Migration):

    dependencies = [
        ('ingestion', '0019_reading'),
    ]

    operations = [
        migrations.CreateModel(
            name='Event',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('uid', models.UUIDField(default=uuid.uuid4, unique=True, verbose_name='event id')),
                ('kind', models.CharField(choices=[('delivery.published', 'Delivery published'), ('delivery.incomplete', 'Delivery incomplete'), ('delivery.late', 'Delivery late'), ('month.restated', 'Finished month restated'), ('file.failed', 'File failed'), ('access.lost', 'Access lost'), ('test', 'Test')], max_length=30)),
                ('occurred_at', models.DateTimeField(auto_now_add=True)),
                ('dedupe_key', models.CharField(help_text='Names the fact: the same one is never written twice.', max_length=200, unique=True)),
                ('payload', models.JSONField(help_text='The facts, as every receiver gets them.')),
                ('client', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='events', to='ingestion.client')),
                ('connection', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='events', to='ingestion.clientconnection')),
            ],
            options={
                'ordering': ['-id'],
            },
        ),
        migrations.CreateModel(
            name='WebhookEndpoint',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=200, unique=True)),
                ('url', models.URLField(help_text='Its host must be in KCX_WEBHOOK_HOSTS. Staff can read it: no secrets.', max_length=2000, verbose_name='URL')),
                ('kinds', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(choices=[('delivery.published', 'Delivery published'), ('delivery.incomplete', 'Delivery incomplete'), ('delivery.late', 'Delivery late'), ('month.restated', 'Finished month restated'), ('file.failed', 'File failed'), ('access.lost', 'Access lost')], max_length=30), blank=True, default=list, size=None)),
                ('enabled', models.BooleanField(default=True)),
                ('disabled_reason', models.TextField(blank=True, editable=False)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('rests_until', models.DateTimeField(editable=False, help_text='A try failed just now.', null=True)),
                ('seed', models.CharField(editable=False, max_length=64)),
                ('fingerprint', models.CharField(editable=False, max_length=16, verbose_name="secret's fingerprint")),
                ('former_seed', models.CharField(blank=True, editable=False, max_length=64)),
                ('former_fingerprint', models.CharField(blank=True, editable=False, max_length=16)),
                ('former_until', models.DateTimeField(editable=False, null=True)),
                ('client', models.ForeignKey(blank=True, help_text='Empty: the events of all clients.', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='webhook_endpoints', to='ingestion.client')),
            ],
            options={
                'ordering': ['name'],
            },
        ),
        migrations.CreateModel(
            name='WebhookMessage',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('status', models.CharField(choices=[('WAITING', 'Waiting'), ('DELIVERED', 'Delivered'), ('GIVEN_UP', 'Given up')], default='WAITING', max_length=10)),
                ('tries', models.PositiveIntegerField(default=0, help_text='Since it was made, or last redelivered.')),
                ('waiting_since', models.DateTimeField()),
                ('next_try_at', models.DateTimeField(null=True)),
                ('queued_at', models.DateTimeField(help_text='When a task was last queued for it.', null=True)),
                ('ended_at', models.DateTimeField(null=True)),
                ('reason', models.TextField(blank=True, help_text='Why it was given up, or what the last try said.')),
                ('endpoint', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='messages', to='ingestion.webhookendpoint')),
                ('event', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='messages', to='ingestion.event')),
            ],
            options={
                'ordering': ['-id'],
            },
        ),
        migrations.CreateModel(
            name='WebhookDelivery',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('at', models.DateTimeField(help_text='When the try began.')),
                ('seconds', models.FloatField()),
                ('status_code', models.PositiveIntegerField(help_text='Empty: there was no answer.', null=True)),
                ('error_code', models.CharField(blank=True, max_length=40)),
                ('error_message', models.TextField(blank=True)),
                ('answer', models.TextField(blank=True, help_text='The first 200 bytes of it.')),
                ('message', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='deliveries', to='ingestion.webhookmessage')),
            ],
            options={
                'verbose_name_plural': 'webhook deliveries',
                'ordering': ['-id'],
            },
        ),
        migrations.AddIndex(
            model_name='event',
            index=models.Index(fields=['connection', '-id'], name='event_connection'),
        ),
        migrations.AddConstraint(
            model_name='webhookendpoint',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('seed', ''), _negated=True), models.Q(('fingerprint', ''), _negated=True)), name='webhook_signs'),
        ),
        migrations.AddConstraint(
            model_name='webhookendpoint',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('former_fingerprint', ''), ('former_seed', ''), ('former_until', None)), models.Q(models.Q(('former_seed', ''), _negated=True), models.Q(('former_fingerprint', ''), _negated=True), ('former_until__isnull', False)), _connector='OR'), name='webhook_former'),
        ),
        migrations.AddIndex(
            model_name='webhookmessage',
            index=models.Index(condition=models.Q(('status', 'WAITING')), fields=['next_try_at'], name='webhookmessage_waiting'),
        ),
        migrations.AddIndex(
            model_name='webhookmessage',
            index=models.Index(condition=models.Q(('status', 'GIVEN_UP')), fields=['ended_at'], name='webhookmessage_given_up'),
        ),
        migrations.AddConstraint(
            model_name='webhookmessage',
            constraint=models.UniqueConstraint(fields=('event', 'endpoint'), name='webhookmessage_unique'),
        ),
        migrations.AddConstraint(
            model_name='webhookmessage',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('ended_at', None), ('next_try_at__isnull', False), ('status', 'WAITING')), models.Q(models.Q(('status', 'WAITING'), _negated=True), ('ended_at__isnull', False), ('next_try_at', None)), _connector='OR'), name='webhookmessage_status'),
        ),
        migrations.RunSQL(GUARDS, UNDO_GUARDS),
    ]
