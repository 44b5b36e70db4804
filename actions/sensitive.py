"""What must not reach an audit row or a log: fields marked `x-sensitive`, fields named like secrets, known secrets."""

import re
from collections.abc import Collection, Iterable, Iterator
from functools import lru_cache
from typing import Any

MASK = "•••"
NAMES = (
    r"password|passwd|passphrase|secret|token|authorization|api_?key|access_?key|private_?key|client_?key|cookie|"
    r"credentials?|card_?number|cvv|cvc|pin|iban|ssn|session_?id"
)
SENSITIVE_NAME = re.compile(rf"(?:^|_)(?:{NAMES})$")
IN_TEXT = re.compile(
    rf"(?i)(\b[\w-]*(?:{NAMES.replace('pin|', '')})[\"']?\s*[:=]\s*)(?:(?:bearer|basic)\s+)?"
    r"(\"[^\"]*\"|'[^']*'|[^\s,;&\"'}]+)"
)
BEARER = re.compile(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9+/=._~-]{8,}")
SHORTEST_SECRET = 4


def mask(schema: Any, value: Any) -> Any:
    """Return a copy of the value with everything sensitive replaced by •••; all branches of a schema count."""
    return _mask(value, [schema], schema)


def sensitive_paths(schema: Any, value: Any) -> list[tuple[str | int, ...]]:
    """Return the paths in the value that `mask` would replace."""
    return list(_differences((), value, mask(schema, value)))


def sensitive_values(schema: Any, value: Any) -> set[str]:
    """Return the texts at sensitive paths, for redacting them wherever else they turn up."""
    return {text for path in sensitive_paths(schema, value) for text in _texts(_at(value, path))}


def marks(schema: Any) -> bool:
    """Tell whether a schema marks anything as sensitive, wherever in it: without, only the names of fields count."""
    stack = [schema]
    while stack:
        part = stack.pop()
        if isinstance(part, dict):
            if part.get("x-sensitive") is True:
                return True
            stack.extend(part.values())
        elif isinstance(part, list):
            stack.extend(part)
    return False


def has_sensitive_name(value: Any) -> bool:
    """Tell whether a field of a JSON value, at any depth, is named like a secret."""
    if isinstance(value, dict):
        return any(map(is_sensitive_name, value)) or any(map(has_sensitive_name, value.values()))
    return isinstance(value, list) and any(map(has_sensitive_name, value))


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """Return the text without the given secrets and without what follows names such as `password=`."""
    return BEARER.sub(rf"\1 {MASK}", IN_TEXT.sub(rf"\1{MASK}", _covered(text, _longest_first(secrets))))


def cover(value: Any, secrets: Collection[str]) -> Any:
    """Return the JSON value with the given secrets, and nothing else, replaced by ••• in every text and name."""
    if not secrets:
        return value
    known = _longest_first(secrets)
    return _cover(value, known) if known else value


def redact_value(value: Any, secrets: Iterable[str] = ()) -> Any:
    """Return the JSON value with sensitive keys masked and secrets redacted in every text."""
    known = set(secrets)
    if isinstance(value, dict):
        return {redact(key, known): _keyed(key, part, known) for key, part in value.items()}
    if isinstance(value, list):
        return [redact_value(part, known) for part in value]
    return redact(value, known) if isinstance(value, str) else value


@lru_cache(maxsize=4_096)
def is_sensitive_name(name: str) -> bool:
    """Tell whether a field's name alone says that it is secret: `cardNumber`, `x-api-key`, `db_password`."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).replace("-", "_").lower()
    return SENSITIVE_NAME.search(words) is not None


def _longest_first(secrets: Iterable[str]) -> list[str]:
    return sorted((secret for secret in secrets if len(secret) >= SHORTEST_SECRET), key=len, reverse=True)


def _covered(text: str, secrets: list[str]) -> str:
    for secret in secrets:
        text = text.replace(secret, MASK)
    return text


def _cover(value: Any, secrets: list[str]) -> Any:
    if isinstance(value, dict):
        return {_covered(key, secrets): _cover(part, secrets) for key, part in value.items()}
    if isinstance(value, list):
        return [_cover(part, secrets) for part in value]
    return _covered(value, secrets) if isinstance(value, str) else value


def _keyed(key: str, value: Any, secrets: set[str]) -> Any:
    return MASK if value is not None and is_sensitive_name(key) else redact_value(value, secrets)


def _mask(value: Any, schemas: list[Any], root: Any) -> Any:
    applicable = list(_expand(schemas, root))
    if value is not None and any(schema.get("x-sensitive") is True for schema in applicable):
        return MASK
    if isinstance(value, dict):
        return {key: _mask_field(key, part, applicable, root) for key, part in value.items()}
    if isinstance(value, list):
        return [_mask(part, list(_items(applicable, index)), root) for index, part in enumerate(value)]
    return value


def _mask_field(key: str, value: Any, schemas: list[dict[str, Any]], root: Any) -> Any:
    if value is not None and is_sensitive_name(key):
        return MASK
    return _mask(value, list(_fields(schemas, key)), root)


def _expand(schemas: Iterable[Any], root: Any) -> Iterator[dict[str, Any]]:
    """Yield all schemas that may apply to one value: references and every branch, each once."""
    stack, seen = list(schemas), set()
    while stack:
        schema = stack.pop()
        if not isinstance(schema, dict) or id(schema) in seen:
            continue
        seen.add(id(schema))
        yield schema
        for key in ("allOf", "anyOf", "oneOf"):
            stack.extend(schema.get(key, ()))
        stack.extend(schema.get(key) for key in ("if", "then", "else"))
        stack.extend(schema.get("dependentSchemas", {}).values())
        if isinstance(schema.get("$ref"), str):
            stack.append(_resolve(schema["$ref"], root))


def _resolve(reference: str, root: Any) -> Any:
    target = root
    for escaped in reference.removeprefix("#").split("/")[1:]:
        part = escaped.replace("~1", "/").replace("~0", "~")
        if isinstance(target, list):
            target = target[int(part)] if part.isdigit() and int(part) < len(target) else None
        else:
            target = target.get(part) if isinstance(target, dict) else None
    return target


def _fields(schemas: list[dict[str, Any]], key: str) -> Iterator[Any]:
    for schema in schemas:
        yield schema.get("properties", {}).get(key)
        # Which pattern matches is not asked: masking too much is safe, running patterns here is not.
        yield from schema.get("patternProperties", {}).values()
        yield schema.get("additionalProperties")
        yield schema.get("unevaluatedProperties")


def _items(schemas: list[dict[str, Any]], index: int) -> Iterator[Any]:
    for schema in schemas:
        prefix = schema.get("prefixItems", [])
        if index < len(prefix):
            yield prefix[index]
        yield schema.get("items")
        yield schema.get("contains")
        yield schema.get("unevaluatedItems")


def _differences(path: tuple[str | int, ...], value: Any, masked: Any) -> Iterator[tuple[str | int, ...]]:
    if masked == MASK and value != MASK:
        yield path
    elif isinstance(value, dict):
        for key in value:
            yield from _differences((*path, key), value[key], masked[key])
    elif isinstance(value, list):
        for index, part in enumerate(value):
            yield from _differences((*path, index), part, masked[index])


def _at(value: Any, path: tuple[str | int, ...]) -> Any:
    for part in path:
        value = value[part]
    return value


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for part in value.values():
            yield from _texts(part)
    elif isinstance(value, list):
        for part in value:
            yield from _texts(part)
    elif isinstance(value, int | float | str) and not isinstance(value, bool):
        yield str(value)
