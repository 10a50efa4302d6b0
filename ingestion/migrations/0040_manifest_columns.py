import django.contrib.postgres.fields
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("ingestion", "0039_dashboard_by_attempts")]

    operations = [
        migrations.AddField(
            model_name="delivery",
            name="manifest_columns",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.TextField(),
                help_text="The columns its manifest names, as a header spells them; null where it was not read.",
                null=True,
                size=None,
            ),
        ),
    ]
