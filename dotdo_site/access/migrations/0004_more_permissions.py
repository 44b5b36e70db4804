from importlib import import_module

from django.db import migrations

make_roles = import_module("dotdo_site.access.migrations.0002_roles").make_roles


class Migration(migrations.Migration):
    dependencies = [
        ("access", "0003_api_key_name"),
        ("actions", "0003_undo"),
        ("workflows", "0004_language"),
    ]

    operations = [migrations.RunPython(make_roles, migrations.RunPython.noop)]
