"""What the queue's schedule table may hold: one bad row would stop every schedule, or run any code."""

from django.db import migrations

GUARDS = """
-- Rows that these constraints would refuse are not KCX's: the schedules are written anew after each migrate.
DELETE FROM django_q_schedule WHERE name IS NULL OR name NOT LIKE 'kcx:%';
DELETE FROM django_q_schedule one USING django_q_schedule other WHERE one.name = other.name AND one.id > other.id;

ALTER TABLE django_q_schedule
    ADD CONSTRAINT kcx_schedule_runs_a_task_of_kcx CHECK (func ~ '^ingestion[.]tasks[.][a-z_]+$'),
    ADD CONSTRAINT kcx_schedule_takes_one_number CHECK (args IS NULL OR args ~ '^([0-9]+,?)?$'),
    ADD CONSTRAINT kcx_schedule_takes_no_options
        CHECK (coalesce(kwargs, '') = '' AND coalesce(hook, '') = '' AND coalesce(intended_date_kwarg, '') = ''),
    -- A cron expression that never comes true (31 February) raises, and rolls every schedule back.
    ADD CONSTRAINT kcx_schedule_repeats_plainly CHECK (schedule_type IN ('I', 'H', 'D', 'W') AND cron IS NULL),
    ADD CONSTRAINT kcx_schedule_minutes CHECK (schedule_type <> 'I' OR coalesce(minutes, 0) BETWEEN 1 AND 1440),
    ADD CONSTRAINT kcx_schedule_has_a_name CHECK (name IS NOT NULL AND name LIKE 'kcx:%'),
    ADD CONSTRAINT kcx_schedule_name_once UNIQUE (name);
"""

UNDO = """
ALTER TABLE django_q_schedule
    DROP CONSTRAINT kcx_schedule_runs_a_task_of_kcx,
    DROP CONSTRAINT kcx_schedule_takes_one_number,
    DROP CONSTRAINT kcx_schedule_takes_no_options,
    DROP CONSTRAINT kcx_schedule_repeats_plainly,
    DROP CONSTRAINT kcx_schedule_minutes,
    DROP CONSTRAINT kcx_schedule_has_a_name,
    DROP CONSTRAINT kcx_schedule_name_once;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("django_q", "0019_alter_task_options_alter_ormq_key_alter_ormq_lock_and_more"),
        ("ingestion", "0006_worker"),
    ]
    operations = [migrations.RunSQL(GUARDS, UNDO)]
