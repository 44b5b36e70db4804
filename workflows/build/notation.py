"""Documents as YAML that the loader of the language reads back as the very same document."""

from collections.abc import Mapping
from typing import Any

import yaml

from workflows.language import scalars
from workflows.language.strictness import LoadError

WIDTH = 110


class Dumper(yaml.SafeDumper):
    """Writes YAML 1.2 without anchors; a text that would be read as something else is quoted."""

    def ignore_aliases(self, data: Any) -> bool:
        """Write a value out each time it occurs: documents have no aliases."""
        del data
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        """Indent lists below their key."""
        del indentless
        super().increase_indent(flow, False)


def to_yaml(document: Mapping[str, Any]) -> str:
    """Return the document as YAML."""
    return yaml.dump(dict(document), Dumper=Dumper, sort_keys=False, allow_unicode=True, width=WIDTH)


def _text(dumper: Dumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=_style(text))


def _style(text: str) -> str | None:
    """Return how a text must be quoted: YAML 1.2 has other numbers than 1.1, and line ends of its own in neither."""
    if not text.replace("\n", "").isprintable() or not _stays_text(text):
        return '"'
    return "|" if "\n" in text else None


def _stays_text(text: str) -> bool:
    """Tell whether the loader would read this text, unquoted, as text."""
    try:
        return isinstance(scalars.resolve(text, 1, 1), str)
    except LoadError:
        return False


Dumper.add_representer(str, _text)
