"""The actions that this process can run: what `@action` recorded, and where it is looked for."""

import functools
import hashlib
import inspect
import re
import sys
import traceback
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from django.conf import settings
from django.utils.module_loading import autodiscover_modules

from actions import notify as telling
from actions import running, schemas, signatures
from actions.contract import EFFECTS, NAME, ON_CRASH, QUEUE, VERSION, Contract
from actions.notify import Notify
from actions.retry import Retry
from dotdo_site.lib import durations

P = ParamSpec("P")
R = TypeVar("R")
Shape = Mapping[str, Any] | None

ENTRY_POINTS = "dotdo.actions"
LONGEST = 86_400.0
LONGEST_TRANSACTIONAL = 30.0


class RegistrationError(ValueError):
    """An `@action` line that cannot be kept; the message names the action and what to change."""


class DiscoveryError(Exception):
    """A module named in DOTDO_ACTION_MODULES that cannot be imported; the message says why, and where."""


@dataclass(frozen=True, slots=True)
class ActionSpec:
    """A handler written in Python with its contract."""

    name: str
    version: str
    title: str
    description: str
    function: Callable[..., Any]
    contract: Contract


_specs: dict[tuple[str, str], ActionSpec] = {}


def action(
    name: str,
    version: str = "1.0.0",
    *,
    title: str = "",
    description: str = "",
    input: Shape = None,  # noqa: A002 - the word that authors and docs use
    output: Shape = None,
    retry: Retry | Mapping[str, Any] | None = None,
    timeout: str | float = "30s",
    effect: str = "keyed",
    transactional: bool | None = None,
    on_crash: str = "retry",
    queue: str = "default",
    undo: str = "",
    notify: Notify | Mapping[str, Any] | None = None,
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Register a handler `fn(ctx, ...)` as one version of an action.

    Schemas come from the signature unless `input` or `output` (JSON Schema or shorthand) are given. `timeout` is a
    duration, `undo` the name of the action that takes this one back, `notify` says whom to tell when its runs need a
    person. Transactional is the default: the handler runs in the transaction that records its result, at most 30 s.
    Raises RegistrationError, SignatureError.
    """

    def register(function: Callable[P, R]) -> Callable[P, R]:
        try:
            _check_identity(name, version, title, description)
            _check_function(function, input)
            contract = Contract(
                kind="python",
                config={"name": name, "version": version},
                input_schema=_schema(function, "input", input),
                output_schema=_schema(function, "output", output),
                retry=_retry(retry),
                timeout_ms=_timeout(timeout, transactional is not False),
                effect=_one_of("effect", effect, EFFECTS),
                transactional=_flag("transactional", transactional, default=True),
                on_crash=_one_of("on_crash", on_crash, ON_CRASH),
                queue=_matching("queue", queue, QUEUE),
                undo=_matching("undo", undo, NAME) if undo != "" else "",
                notify=telling.settled(notify),
            )
        except signatures.SignatureError:
            raise
        except (TypeError, ValueError) as error:
            raise RegistrationError(f"@action({name!r}): {error}") from error
        words = inspect.cleandoc(description or function.__doc__ or "")
        _add(ActionSpec(name, version, title or name.replace("-", " ").capitalize(), words, function, contract))
        return _guarded(name, function)

    return register


def discover() -> None:
    """Import everything that may hold actions: `<app>.actions`, DOTDO_ACTION_MODULES, entry points `dotdo.actions`.

    Raises DiscoveryError.
    """
    autodiscover_modules("actions")
    for module in settings.ACTION_MODULES:
        _import_named(module)
    for entry in entry_points(group=ENTRY_POINTS):
        entry.load()


def _import_named(module: str) -> None:
    try:
        import_module(module)
    except Exception as error:
        raise DiscoveryError(f"DOTDO_ACTION_MODULES: {_why(module, error)}") from error


def _why(module: str, error: Exception) -> str:
    if isinstance(error, ModuleNotFoundError) and f"{module}.".startswith(f"{error.name}."):
        return f"there is no module {module!r}; correct the name, or add its folder to PYTHONPATH"
    last = traceback.extract_tb(error.__traceback__)[-1]
    place = "" if isinstance(error, SyntaxError) else f" ({last.filename}:{last.lineno})"
    return f"{module!r} cannot be imported: {type(error).__name__}: {error}{place}"


def handler(name: str, version: str) -> ActionSpec | None:
    """Return the handler for a version: exactly it, else the newest registered one of its major version, else None."""
    if exact := _specs.get((name, version)):
        return exact
    major = version.split(".", maxsplit=1)[0]
    others = [spec for spec in _specs.values() if spec.name == name and spec.version.split(".")[0] == major]
    return max(others, key=lambda spec: version_key(spec.version), default=None)


def specs() -> list[ActionSpec]:
    """Return all registered actions by name, oldest version first."""
    return sorted(_specs.values(), key=lambda spec: (spec.name, version_key(spec.version)))


def version_key(version: str) -> tuple[int, ...]:
    """Return what versions sort by."""
    return tuple(int(part) for part in version.split("."))


def code_version() -> str:
    """Return a digest of the source files that hold handlers, 16 hex digits: it changes when their code does."""
    found = hashlib.sha256()
    for name in sorted({spec.function.__module__ for spec in _specs.values()}):
        file = getattr(sys.modules.get(name), "__file__", None)
        found.update(name.encode() + b"\0" + (Path(file).read_bytes() if file else b"") + b"\0")
    return found.hexdigest()[:16]


def forget(names: Iterable[str]) -> None:
    """Take actions out of the registry again: for tests that register their own."""
    for key in [key for key in _specs if key[0] in set(names)]:
        del _specs[key]


def _guarded(name: str, function: Callable[P, R]) -> Callable[P, R]:
    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        running.refuse_inside_handler(f"call the action {name}")
        return function(*args, **kwargs)

    return call


def _add(spec: ActionSpec) -> None:
    present = _specs.get((spec.name, spec.version))
    if present is not None and _place(present.function) != _place(spec.function):
        raise RegistrationError(
            f"@action({spec.name!r}): version {spec.version} is registered twice, by {_place(present.function)} and "
            f"{_place(spec.function)}; give one of them another name or version"
        )
    _specs[spec.name, spec.version] = spec


def _place(function: Callable[..., Any]) -> str:
    return f"{function.__module__}.{function.__qualname__}"


def _check_identity(name: Any, version: Any, title: Any, description: Any) -> None:
    _matching("name", name, NAME)
    _matching("version", version, VERSION)
    if not isinstance(title, str) or len(title) > 200:
        raise ValueError("title must be text of at most 200 characters")
    if not isinstance(description, str):
        raise TypeError("description must be text")


def _check_function(function: Any, given: Shape) -> None:
    if not inspect.isfunction(function):
        raise ValueError(f"{function!r} is not a function")
    if (
        inspect.iscoroutinefunction(function)
        or inspect.isgeneratorfunction(function)
        or inspect.isasyncgenfunction(function)
    ):
        raise ValueError("a handler is a plain function: not async, not a generator")
    if signatures.takes_anything(function) and given is None:
        raise ValueError("**fields say nothing about the input: give input={...} or name the parameters")


def _schema(function: Callable[..., Any], side: str, given: Shape) -> schemas.Schema:
    derived = signatures.from_signature(function)  # also proves that the input can be bound
    if given is None:
        schema = derived[0] if side == "input" else derived[1]
    else:
        schema = schemas.normalise(given, closed=side == "input")
    if found := schemas.check_schema(schema):
        raise ValueError(f"its {side} schema cannot be enforced: " + "; ".join(map(str, found)))
    if side == "input" and given is not None:
        _check_fields(function, schema)
    return schema


def _check_fields(function: Callable[..., Any], schema: schemas.Schema) -> None:
    if signatures.takes_anything(function):
        return
    fields = {part.name: part for part in signatures.fields_of(function)}
    if unknown := sorted(set(schema.get("properties", {})) - set(fields)):
        raise ValueError(f"its input schema has fields that the function does not take: {', '.join(unknown)}")
    needed = {name for name, part in fields.items() if part.default is part.empty}
    if missing := sorted(needed - set(schema.get("required", []))):
        raise ValueError(f"the function needs {', '.join(missing)}, but its input schema does not require them")


def _retry(value: Retry | Mapping[str, Any] | None) -> dict[str, Any]:
    if value is None:
        return Retry().as_dict()
    return (value if isinstance(value, Retry) else Retry.from_dict(value)).as_dict()


def _timeout(value: Any, transactional: bool) -> int:
    length = durations.seconds(value)
    if not 0.001 <= length <= LONGEST:
        raise ValueError(f"timeout is {value!r}: use 1ms to 1d")
    if transactional and length > LONGEST_TRANSACTIONAL:
        raise ValueError(
            f"timeout is {value!r}, but a transactional handler holds row locks and may take 30s at most: "
            "shorten it or set transactional=False"
        )
    return round(length * 1_000)


def _flag(name: str, value: Any, default: bool) -> bool:
    if value is None:
        return default
    if not isinstance(value, bool):
        raise TypeError(f"{name} is {value!r}: use True or False")
    return value


def _one_of(name: str, value: Any, allowed: tuple[str, ...]) -> str:
    if value not in allowed:
        raise ValueError(f"{name} is {value!r}: use one of {', '.join(allowed)}")
    return str(value)


def _matching(name: str, value: Any, pattern: str) -> str:
    if not isinstance(value, str) or not re.fullmatch(pattern, value):
        raise ValueError(f"{name} {value!r} does not match {pattern}")
    return value
