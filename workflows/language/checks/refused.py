"""What the language knows and this release refuses, each with what to do instead ("" where there is nothing)."""

from collections.abc import Mapping

TOP: Mapping[str, str] = {
    "use": "Write errors and arguments where they are used.",
    "timeout": "Give the actions timeouts of their own.",
    "schedule": "Start the workflow through the API or from its page.",
    "evaluate": "Leave it out: jq in strict mode is what runs.",
}

TASK: Mapping[str, str] = {"timeout": "Give the action that is called a timeout of its own."}

KINDS: Mapping[str, str] = {
    "for": "Repeat with `switch` and a `then` that names an earlier task.",
    "fork": "Write the branches one after the other.",
    "try": "Give the action a retry policy; what still fails waits for an operator.",
    "emit": "Call an action that sends the event.",
    "listen": "Poll with an action, `wait` and a `then` that names an earlier task.",
    "run": "Call an action that does it.",
}

CALLS: Mapping[str, str] = {
    "http": "Make an action of kind `http` and call it.",
    "openapi": "Make an action of kind `http` and call it.",
    "grpc": "Write a Python action and call it.",
    "asyncapi": "Write a Python action and call it.",
    "a2a": "Write a Python action and call it.",
    "mcp": "Write a Python action and call it.",
}

SCHEMA: Mapping[str, str] = {"resource": "Write the schema out under `document`: nothing is fetched."}

# Keys of `metadata.dotdo` that have an effect. One that has none would be a broken promise, so it is refused.
DOTDO_OF_DOCUMENT: frozenset[str] = frozenset()
DOTDO_OF_TASK: frozenset[str] = frozenset()
