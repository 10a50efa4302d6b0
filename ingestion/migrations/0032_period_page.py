"""An index for the registry's list by billing period."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("billing", "0003_roles"), ("ingestion", "0031_schedule_numbers")]

    operations = [
        migrations.AddIndex(
            model_name="sourcefile",
            index=models.Index(fields=["billing_period_start", "id"], name="sourcefile_period_page"),
        ),
    ]
