"""The story's action in Python: its row and its result are committed together, or neither is."""

from typing import Annotated

from pydantic import EmailStr, Field
from typing_extensions import TypedDict

from actions import Retry, action
from actions.context import Context
from dotdo_site.demo.models import DemoUser


class Stored(TypedDict):
    """What the handler answers."""

    user_id: str
    created: bool


@action(
    "create-database-user",
    title="Create the user in the database",
    retry=Retry(max_attempts=5, initial="1s", max="10s"),
    timeout="10s",
)
def create_database_user(
    ctx: Context,
    user_id: Annotated[str, Field(title="User", min_length=1, max_length=100, examples=["usr_12345"])],
    name: Annotated[str, Field(title="Name", min_length=1, max_length=200, examples=["Ada Lovelace"])],
    email: Annotated[EmailStr, Field(title="E-mail", max_length=254, examples=["ada@example.com"])],
) -> Stored:
    """Write the user's row, or bring the one that is there up to date."""
    _, created = DemoUser.objects.update_or_create(id=user_id, defaults={"name": name, "email": email})
    ctx.log("user created" if created else "user brought up to date", user_id=user_id)
    return {"user_id": user_id, "created": created}
