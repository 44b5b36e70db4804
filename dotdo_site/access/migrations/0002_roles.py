from django.apps.registry import Apps
from django.contrib.auth.management import create_permissions
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from dotdo_site.access import roles

APPS = ("auth", "workflows", "actions", "audit", "access")


def make_roles(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Make the permissions, which Django would only make after the last migration, and then the groups."""
    for label in APPS:
        config = apps.get_app_config(label)
        config.models_module = True  # a historical app has none, and would be passed over
        create_permissions(config, apps=apps, verbosity=0)
        config.models_module = None
    roles.apply(apps)


class Migration(migrations.Migration):
    dependencies = [
        ("access", "0001_initial"),
        ("actions", "0001_initial"),
        ("audit", "0001_initial"),
        ("workflows", "0001_initial"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
    ]

    operations = [migrations.RunPython(make_roles, migrations.RunPython.noop)]
