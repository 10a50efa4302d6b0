"""A schedule's argument is a number as Python writes it: `007` would stop all schedules."""

from django.db import migrations

TIGHTER = """
ALTER TABLE django_q_schedule
    DROP CONSTRAINT kcx_schedule_takes_one_number,
    ADD CONSTRAINT kcx_schedule_takes_one_number CHECK (args IS NULL OR args ~ '^((0|[1-9][0-9]{0,17}),?)?$');
"""

UNDO = """
ALTER TABLE django_q_schedule
    DROP CONSTRAINT kcx_schedule_takes_one_number,
    ADD CONSTRAINT kcx_schedule_takes_one_number CHECK (args IS NULL OR args ~ '^([0-9]+,?)?$');
"""


class Migration(migrations.Migration):
    dependencies = [("ingestion", "0030_changed_at")]
    operations = [migrations.RunSQL(TIGHTER, UNDO)]
