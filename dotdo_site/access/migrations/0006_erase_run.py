from importlib import import_module

from django.db import migrations

make_roles = import_module("dotdo_site.access.migrations.0002_roles").make_roles


class Migration(migrations.Migration):
    dependencies = [
        ("access", "0005_notifications"),
        ("workflows", "0015_retention"),
    ]

    operations = [migrations.RunPython(make_roles, migrations.RunPython.noop)]
