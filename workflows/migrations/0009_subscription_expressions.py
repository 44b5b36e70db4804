import django.db.models.functions.text
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("workflows", "0008_undo_names"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="subscription",
            index=models.Index(
                models.F("type"),
                django.db.models.functions.text.MD5("correlate_from"),
                condition=models.Q(("correlate_from", ""), _negated=True),
                name="subscription_by_expression",
            ),
        ),
    ]
