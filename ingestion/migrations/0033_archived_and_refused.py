"""Archived files counted by index; a connection remembers that nothing of it can be read."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("billing", "0003_roles"), ("ingestion", "0032_period_page")]

    operations = [
        migrations.AddField(
            model_name="clientconnection",
            name="reads_refused_at",
            field=models.DateTimeField(
                editable=False,
                help_text="When a load found that nothing can be read; no file is loaded until something can.",
                null=True,
            ),
        ),
        migrations.AddIndex(
            model_name="sourcefile",
            index=models.Index(
                condition=models.Q(("skip_reason", "ARCHIVED")),
                fields=["connection"],
                name="sourcefile_archived",
            ),
        ),
    ]
