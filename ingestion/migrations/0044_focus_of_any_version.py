"""A family for FOCUS exports whose columns tell no version."""

from django.db import migrations, models

import ingestion.layouts.families

CHOICES = [
    ("legacy_cur", "legacy_cur"),
    ("cur_2_0", "cur_2_0"),
    ("focus_1_0_preview", "focus_1_0_preview"),
    ("focus_1_0", "focus_1_0"),
    ("focus_1_2", "focus_1_2"),
    ("focus", "focus"),
    ("recommendations", "recommendations"),
    ("carbon", "carbon"),
    ("generic", "generic"),
    ("unknown", "unknown"),
]


class Migration(migrations.Migration):
    dependencies = [("ingestion", "0043_a_connections_client")]
    operations = [
        migrations.AlterField(
            "export",
            "family",
            models.CharField(
                choices=CHOICES, default=ingestion.layouts.families.Family["UNKNOWN"], max_length=20
            ),
        )
    ]
