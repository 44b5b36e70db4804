"""YAML from strangers, read event by event: nothing recurses, nothing expands, nothing is constructed but plain data.

PyYAML's own loaders overflow the C stack on deep nesting, which ends the process.
"""

import re
from typing import Any

import yaml

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
MAX_DEPTH = 64
WORDS = {"true": True, "True": True, "false": False, "False": False, "null": None, "~": None, "": None}
NUMBER = re.compile(r"-?(?:0|[1-9]\d{0,15})", re.ASCII)


def load(text: str) -> Any:
    """Return the first document; keys are texts, plain `true`, `null` and whole numbers are read. Raises YAMLError."""
    top: list[Any] = []
    open_nodes: list[Any] = [top]
    keys: list[Any] = [None]  # for each open mapping the key that waits for its value
    for event in yaml.parse(text, Loader=LOADER):
        if isinstance(event, yaml.AliasEvent):
            raise yaml.YAMLError("aliases are not read")
        if isinstance(event, yaml.DocumentEndEvent):
            break
        if isinstance(event, yaml.CollectionEndEvent):
            open_nodes.pop()
            keys.pop()
        elif isinstance(event, yaml.ScalarEvent):
            _add(open_nodes[-1], keys, event)
        elif isinstance(event, yaml.CollectionStartEvent):
            if len(open_nodes) > MAX_DEPTH:
                raise yaml.YAMLError(f"it is nested deeper than {MAX_DEPTH} levels")
            node: Any = {} if isinstance(event, yaml.MappingStartEvent) else []
            _put(open_nodes[-1], keys, node)
            open_nodes.append(node)
            keys.append(None)
    return top[0] if top else None


def _add(parent: Any, keys: list[Any], event: yaml.ScalarEvent) -> None:
    if isinstance(parent, dict) and keys[-1] is None:
        keys[-1] = event.value
    else:
        _put(parent, keys, _scalar(event))


def _put(parent: Any, keys: list[Any], value: Any) -> None:
    if isinstance(parent, list):
        parent.append(value)
    elif keys[-1] is None:
        raise yaml.YAMLError("a key is a list or an object")
    else:
        parent[keys[-1]] = value
        keys[-1] = None


def _scalar(event: yaml.ScalarEvent) -> Any:
    if event.style or not event.implicit[0]:
        return event.value
    if event.value in WORDS:
        return WORDS[event.value]
    return int(event.value) if NUMBER.fullmatch(event.value) else event.value
