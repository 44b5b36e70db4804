"""What stands for a secret until the moment it is sent: a text that says which, and that nobody can guess.

`$secrets.shop` in a workflow is `secret~shop~token~<signature>`. Such texts are what is stored, shown and audited; the
handler's own copy of its input gets the secret, in the one place where it is known where it goes. They are made of
characters that URLs leave alone, and they are the same for every evaluation.
"""

import hmac
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from actions import sealing, secrets
from actions.errors import ActionError
from actions.models import Connection

MARKER = re.compile(r"secret~([a-z0-9-]{1,63})~([A-Za-z_][A-Za-z0-9_-]{0,62})~([0-9a-f]{32})", re.ASCII)
BEGIN = "secret~"

Reveal = Callable[[str], Mapping[str, str]]
Encode = Callable[[str], str]


class UnknownSecret(LookupError):
    """A secret that a workflow names and this installation does not have, or cannot read."""


def scope(names: Sequence[str]) -> dict[str, Any]:
    """Return `$secrets`: the marker of each connection's token, or an object of markers by part.

    Raises UnknownSecret.
    """
    found = {row.name: row for row in Connection.objects.filter(name__in=names)}
    if missing := [name for name in names if name not in found]:
        raise UnknownSecret(f"there is no connection {missing[0]!r}: create it in the admin, under Connections")
    return {name: _shape(found[name]) for name in names}


def substitute(value: Any, names: Sequence[str], reveal: Reveal, encode: Encode = str) -> Any:
    """Return a copy of a JSON value with the markers of the named secrets replaced, each through `encode`.

    `reveal` gives the parts of a connection; it is asked once for each, and only for those that occur. A marker whose
    signature is wrong, or whose secret is not named, is left as the text it is. Raises ActionError `secret_refused`.
    """
    if not names:
        return value
    known: dict[str, Mapping[str, str]] = {}

    def replaced(match: re.Match[str]) -> str:
        name, part, signature = match.groups()
        if name not in names or not _is_ours(name, part, signature):
            return match[0]
        if name not in known:
            known[name] = reveal(name)
        if part not in known[name]:
            raise ActionError("secret_refused", f"the secret of {name!r} has no part {part!r} now", retryable=False)
        return encode(known[name][part])

    return _mapped(value, replaced)


def shorten(value: Any) -> Any:
    """Return the JSON value with markers as people read them: `«secret shop.token»`."""
    return _mapped(value, lambda match: f"«secret {match[1]}.{match[2]}»")


def _shape(connection: Connection) -> Any:
    try:
        parts = secrets.parts_of(connection)
    except (sealing.CannotDecrypt, ActionError) as error:
        raise UnknownSecret(f"the secret of {connection.name!r} cannot be used: {error}") from None
    markers = {part: _marker(connection.name, part) for part in parts}
    return markers["token"] if set(markers) == {"token"} else markers


def _marker(name: str, part: str) -> str:
    return f"{BEGIN}{name}~{part}~{sealing.signatures(_signed(name, part))[0]}"


def _is_ours(name: str, part: str, signature: str) -> bool:
    return any(hmac.compare_digest(one, signature) for one in sealing.signatures(_signed(name, part)))


def _signed(name: str, part: str) -> str:
    return f"{name}~{part}"


def _mapped(value: Any, replaced: Callable[[re.Match[str]], str]) -> Any:
    if isinstance(value, str):
        return MARKER.sub(replaced, value) if BEGIN in value else value
    if isinstance(value, dict):
        return {key: _mapped(part, replaced) for key, part in value.items()}
    if isinstance(value, list):
        return [_mapped(part, replaced) for part in value]
    return value
