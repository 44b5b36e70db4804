"""Give the roles the permissions of the operators' pages."""

from importlib import import_module

from django.db import migrations

make_roles = import_module("dotdo_site.access.migrations.0002_roles").make_roles


class Migration(migrations.Migration):
    dependencies = [
        ("access", "0006_erase_run"),
        ("audit", "0007_verifications"),
        ("workflows", "0024_page_indexes"),
    ]
    operations = [migrations.RunPython(make_roles, migrations.RunPython.noop)]
