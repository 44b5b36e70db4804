"""An action that some workers do not know: its run is blocked until one does."""

from django.db import connection

from actions import action
from actions.context import Context


@action("world-gone", input={"of": "string"})
def gone(ctx: Context, of: str) -> None:
    """Write a row, where this module is loaded."""
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO world_mark (of, name) VALUES (%s, 'gone')", [of])
