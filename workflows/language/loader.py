"""A workflow document from its text: YAML 1.2 or JSON, read strictly and never for long.

YAML as commonly loaded turns `on` into true, `12:30:00` into 45000 and a date into an object, follows aliases into
exponential documents, and drops duplicate keys in silence. Here plain scalars are null, true, false, a number or text
(the core schema of YAML 1.2) and all the rest is refused with its line and column. Texts that begin with `{` are JSON.
"""

from collections.abc import Iterator
from typing import Any

import yaml

from workflows.language import scalars, strict_json
from workflows.language.strictness import DEEPEST, LoadError, check_text

__all__ = ["LIMIT", "LoadError", "load"]

LIMIT = 256 * 1024

FASTEST: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
REASONS = {
    "found character '\\t' that cannot start any token": "a tab cannot be used for indentation; use spaces",
    "mapping values are not allowed here": "a colon stands where a value was expected; quote the text or indent it",
}


def load(text: str, *, limit: int = LIMIT) -> dict[str, Any]:
    """Return the document in `text`, at most `limit` bytes long. Raises LoadError with line and column."""
    _check_size(text, limit)
    value = strict_json.parse(text) if text.lstrip().startswith("{") else _parse_yaml(text)
    if not isinstance(value, dict):
        raise LoadError("the document is not an object; it must begin with keys such as `document:` and `do:`", 1, 1)
    return value


def _check_size(text: str, limit: int) -> None:
    try:
        size = len(text.encode())
    except UnicodeEncodeError as error:
        before = text[: error.start]
        line, column = before.count("\n") + 1, error.start - before.rfind("\n")
        raise LoadError("the text contains half of a surrogate pair; save it as UTF-8", line, column) from None
    if size > limit:
        raise LoadError(f"the document has {size} bytes; the limit is {limit}. Split it into several workflows", 1, 1)


def _parse_yaml(text: str, loader: Any = FASTEST) -> Any:
    try:
        return _Composer().compose(yaml.parse(text, Loader=loader))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        reason = str(error.problem or error.context)
        raise _failure(REASONS.get(reason, f"this is not YAML: {reason}"), mark) from None
    except yaml.reader.ReaderError as error:
        raise LoadError(f"the text contains the character U+{_code(error.character):04X}; remove it", 1, 1) from None
    except (yaml.YAMLError, ValueError, OverflowError, RecursionError) as error:
        if isinstance(error, LoadError):
            raise
        raise LoadError(f"this is not YAML: {error}", 1, 1) from None


def _code(character: Any) -> int:
    return character if isinstance(character, int) else ord(character[:1] or "\0")


def _failure(reason: str, mark: Any) -> LoadError:
    return LoadError(reason, mark.line + 1, mark.column + 1) if mark else LoadError(reason, 1, 1)


class _Composer:
    """Builds the value from parser events, without recursion."""

    def __init__(self) -> None:
        self.root: list[Any] = []
        self.open: list[Any] = [self.root]
        self.keys: list[str | None] = [None]

    def compose(self, events: Iterator[Any]) -> Any:
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent) and self.root:
                raise _failure("the text holds a second document; keep one", event.start_mark)
            if isinstance(event, yaml.NodeEvent):
                self._node(event)
            elif isinstance(event, yaml.CollectionEndEvent):
                self.open.pop()
                self.keys.pop()
        return self.root[0] if self.root else None

    def _node(self, event: Any) -> None:
        _refuse_references(event)
        if isinstance(event, yaml.ScalarEvent):
            self._scalar(event)
            return
        if len(self.open) > DEEPEST:
            raise _failure(f"nested deeper than {DEEPEST} levels; simplify it", event.start_mark)
        value: Any = {} if isinstance(event, yaml.MappingStartEvent) else []
        self._put(value, event)
        self.open.append(value)
        self.keys.append(None)

    def _scalar(self, event: Any) -> None:
        line, column = event.start_mark.line + 1, event.start_mark.column + 1
        check_text(event.value, line, column)
        value = scalars.resolve(event.value, line, column) if event.implicit[0] else event.value
        if isinstance(self.open[-1], dict) and self.keys[-1] is None:
            self._key(value, event)
        else:
            self._put(value, event)

    def _key(self, key: Any, event: Any) -> None:
        if not isinstance(key, str):
            raise _failure(f'the key `{event.value[:60]}` is not text; write "{event.value[:60]}"', event.start_mark)
        if key in self.open[-1]:
            raise _failure(f"the key `{key[:60]}` is there twice; remove one", event.start_mark)
        self.keys[-1] = key

    def _put(self, value: Any, event: Any) -> None:
        target = self.open[-1]
        if isinstance(target, list):
            target.append(value)
            return
        key, self.keys[-1] = self.keys[-1], None
        if key is None:
            raise _failure("a key must be text, not a list or an object", event.start_mark)
        target[key] = value


def _refuse_references(event: Any) -> None:
    anchor = (event.anchor or "")[:60]
    if isinstance(event, yaml.AliasEvent):
        raise _failure(f"aliases are not allowed; write out what `*{anchor}` stands for", event.start_mark)
    if anchor:
        raise _failure(f"anchors are not allowed; remove `&{anchor}`", event.start_mark)
    if event.tag:
        raise _failure(f"tags are not allowed; remove `{event.tag[:60]}`", event.start_mark)
