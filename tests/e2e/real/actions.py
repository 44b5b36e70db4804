"""What the workflows of these tests call: a bank that refuses some cards, and all of them while it is away."""

import os
from pathlib import Path
from typing import Any

from actions import action
from actions.context import Context
from actions.errors import ActionError

AWAY = "DOTDO_E2E_AWAY"  # the file that is there while the bank is not


@action("e2e-charge", transactional=False, effect="keyed", input={"card": "string", "amount": "number"})
def charge(ctx: Context, card: str, amount: float) -> dict[str, Any]:
    """Charge a card."""
    if Path(os.environ[AWAY]).exists():
        raise ActionError("away", "The bank is away.")
    if card.startswith("0000"):
        raise ActionError("declined", f"The bank declined card {card}.")
    return {"receipt": f"{amount:g} from {card}"}
