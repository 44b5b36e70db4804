from django.db import migrations


class Migration(migrations.Migration):
    operations = [migrations.RunSQL("ALTER TABLE step ADD COLUMN hot integer")]
