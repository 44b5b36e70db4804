from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("actions", "0002_immutable_versions"),
    ]

    operations = [
        migrations.AddField(
            model_name="actionversion",
            name="undo",
            field=models.CharField(blank=True, help_text="The action that undoes this one.", max_length=63),
        ),
    ]
