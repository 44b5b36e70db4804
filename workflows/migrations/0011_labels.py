from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("workflows", "0010_open_children_by_state")]
    operations = [
        migrations.AlterModelOptions(
            name="delivery", options={"default_permissions": ["view"], "verbose_name_plural": "deliveries"}
        ),
        migrations.AlterField(
            model_name="endpoint",
            name="style",
            field=models.CharField(
                choices=[("standard", "Standard"), ("github", "GitHub"), ("stripe", "Stripe")],
                default="standard",
                max_length=10,
            ),
        ),
    ]
