"""What can be done. An `actions.py` needs only this: `from actions import action, ActionError, Context, Retry`."""

from actions.context import Context
from actions.errors import ActionError
from actions.notify import Notify
from actions.registry import action
from actions.retry import Retry

__all__ = ["ActionError", "Context", "Notify", "Retry", "action"]
