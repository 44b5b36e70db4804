"""What a version of an action promises: everything whose change needs a new version number."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Protocol

from dotdo_site.lib import canonical

NAME = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
VERSION = r"(?:0|[1-9]\d{0,5})\.(?:0|[1-9]\d{0,5})\.(?:0|[1-9]\d{0,5})"
QUEUE = r"[a-z0-9](?:[a-z0-9_-]{0,62})"
EFFECTS = ("pure", "keyed", "unsafe")
ON_CRASH = ("retry", "park")
LATER = ("undo", "notify")


class Runnable(Protocol):
    """What running one attempt needs to know: a stored version, a cached one, a contract."""

    @property
    def kind(self) -> str: ...
    @property
    def config(self) -> dict[str, Any]: ...
    @property
    def input_schema(self) -> Mapping[str, Any]: ...
    @property
    def output_schema(self) -> Mapping[str, Any]: ...
    @property
    def timeout_ms(self) -> int: ...
    @property
    def transactional(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Contract:
    """Handler kind and configuration, schemas and policies of one version; `retry` is the whole policy as JSON."""

    kind: str
    config: dict[str, Any]
    input_schema: dict[str, Any]
    output_schema: dict[str, Any]
    retry: dict[str, Any]
    timeout_ms: int
    effect: str
    transactional: bool
    on_crash: str
    queue: str
    undo: str = ""
    notify: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, row: Any) -> "Contract":
        """Return the contract of a stored version."""
        return cls(**{part.name: getattr(row, part.name) for part in fields(cls)})

    def as_dict(self) -> dict[str, Any]:
        """Return the contract as JSON, the form that is stored and digested."""
        return asdict(self)

    def digest(self) -> str:
        """Return the SHA-256 of the canonical contract; without what came later it is that of older contracts."""
        parts = self.as_dict()
        return canonical.digest({name: part for name, part in parts.items() if part or name not in LATER})

    def differences(self, other: "Contract") -> list[str]:
        """Return the names of the parts that differ."""
        return [part.name for part in fields(self) if getattr(self, part.name) != getattr(other, part.name)]
