"""Actions whose handler is a registered Python function."""

from collections.abc import Mapping
from typing import Any

from actions import registry, signatures
from actions.context import Context
from actions.errors import ActionError
from actions.problems import Problem

OUTSIDE = False


def check(config: Any) -> list[Problem]:
    """Return everything that is wrong with a configuration."""
    if not isinstance(config, dict) or set(config) != {"name", "version"}:
        return [Problem("", "config", "must be {name, version} of an @action")]
    if registry.handler(config["name"], config["version"]) is None:
        return [Problem("", "handler", f"no handler for {config['name']} {config['version']} is registered here")]
    return []


def run(ctx: Context, config: dict[str, Any], value: Any) -> Any:
    """Call the function with the input as keyword arguments."""
    spec = registry.handler(config["name"], config["version"])
    if spec is None:
        raise ActionError(
            "no_handler",
            f"no handler for {config['name']} {config['version']} is registered in this process",
            retryable=True,
            definite=True,
        )
    result = spec.function(ctx, **signatures.bind(spec.function, value))
    if isinstance(result, Mapping) and result.get("success") is False:
        return signatures.dump(result)
    return signatures.dump(result, signatures.return_annotation(spec.function))


def destination(config: dict[str, Any]) -> None:
    """Return nothing: where code sends a secret, the code decides."""
    del config
