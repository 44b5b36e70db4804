from collections.abc import Iterator
from typing import Any

import pytest

from actions import ActionError, Retry, action, registry, running
from actions.registry import RegistrationError
from actions.signatures import SignatureError


@pytest.fixture(autouse=True)
def _clean() -> Iterator[None]:
    yield
    registry.forget([spec.name for spec in registry.specs() if spec.name.startswith("reg-")])


def test_the_function_stays_what_it_was() -> None:
    @action("reg-add")
    def add(ctx: object, a: int, b: int = 2) -> int:
        """Add two numbers."""
        return a + b

    assert add(None, 1) == 3
    assert add.__name__ == "add"
    spec = registry.handler("reg-add", "1.0.0")
    assert spec is not None
    assert spec.description == "Add two numbers."
    assert spec.contract.transactional
    assert spec.contract.retry["max_attempts"] == 5


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"name": "Bad Name"}, "name"),
        ({"name": "reg-x\n"}, "name"),
        ({"version": "1.0"}, "version"),
        ({"version": "01.0.0"}, "version"),
        ({"timeout": "soon"}, "duration"),
        ({"timeout": 0}, "timeout"),
        ({"timeout": "31s"}, "transactional"),
        ({"timeout": "31s", "transactional": True}, "transactional"),
        ({"timeout": "2d", "transactional": False}, "timeout"),
        ({"effect": "harmless"}, "effect"),
        ({"on_crash": "explode"}, "on_crash"),
        ({"queue": "a b"}, "queue"),
        ({"undo": "Refund It"}, "undo"),
        ({"retry": {"attempts": 3}}, "unknown keys"),
        ({"transactional": "yes"}, "transactional"),
        ({"title": "x" * 201}, "title"),
        ({"output": {"a": "strin"}}, "type"),
        ({"output": {"type": "object", "minLenght": 1}}, "minLenght"),
        ({"input": {"b": "string"}}, "does not take"),
        ({"input": {"a?": "integer"}}, "does not require"),
    ],
)
def test_a_setting_that_cannot_be_kept_is_refused_where_it_is_written(
    arguments: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(RegistrationError, match=complaint):

        @action(**{"name": "reg-x", **arguments})
        def handler(ctx: object, a: int) -> None: ...


def test_only_plain_functions_are_handlers() -> None:
    async def later(ctx: object) -> None: ...

    def parts(ctx: object) -> Iterator[int]:
        yield 1

    for function in (later, parts, print, lambda ctx, **fields: None):
        with pytest.raises((RegistrationError, SignatureError)):
            action("reg-x")(function)


def test_fields_without_names_need_a_schema() -> None:
    @action("reg-open", input={"type": "object", "required": ["a"]})
    def handler(ctx: object, **fields: Any) -> Any:
        return fields

    assert registry.handler("reg-open", "1.0.0") is not None


def test_two_functions_cannot_be_the_same_version() -> None:
    @action("reg-x")
    def one(ctx: object) -> None: ...

    with pytest.raises(RegistrationError, match="registered twice"):

        @action("reg-x")
        def two(ctx: object) -> None: ...


def test_an_old_run_finds_the_newest_handler_of_its_major_version() -> None:
    def register(version: str) -> None:
        action("reg-x", version)(lambda ctx: version)

    for version in ("1.2.0", "1.10.0", "2.0.0"):
        register(version)
    assert _version("1.2.0") == "1.2.0"
    assert _version("1.3.7") == "1.10.0"
    assert _version("2.5.0") == "2.0.0"
    assert _version("3.0.0") is None
    assert registry.handler("reg-unknown", "1.0.0") is None


def test_an_action_cannot_call_another_and_is_told_what_to_do() -> None:
    @action("reg-inner")
    def inner(ctx: object) -> int:
        return 1

    assert inner(None) == 1
    with running.handler(running.Running("reg-outer", transactional=False)):
        with pytest.raises(ActionError, match="Put both in a workflow") as error:
            inner(None)
        assert running.inside_handler()
    assert not error.value.retryable
    assert not running.inside_handler()
    assert inner(None) == 1


def test_policies_may_be_objects_or_settings() -> None:
    @action("reg-a", retry=Retry(max_attempts=2))
    def one(ctx: object) -> None: ...

    @action("reg-b", retry={"max_attempts": 2})
    def two(ctx: object) -> None: ...

    first, second = registry.handler("reg-a", "1.0.0"), registry.handler("reg-b", "1.0.0")
    assert first is not None
    assert second is not None
    assert first.contract.retry == second.contract.retry


def test_a_changed_contract_has_another_digest_and_names_what_changed() -> None:
    @action("reg-a", timeout="5s")
    def one(ctx: object, a: int) -> None: ...

    @action("reg-b", timeout="6s")
    def two(ctx: object, a: str) -> None: ...

    first, second = registry.handler("reg-a", "1.0.0"), registry.handler("reg-b", "1.0.0")
    assert first is not None
    assert second is not None
    assert first.contract.differences(second.contract) == ["config", "input_schema", "timeout_ms"]
    assert first.contract.digest() != second.contract.digest()


def test_the_code_version_is_short_and_stable() -> None:
    assert registry.code_version() == registry.code_version()
    assert len(registry.code_version()) == 16


def _version(wanted: str) -> str | None:
    spec = registry.handler("reg-x", wanted)
    return spec.version if spec else None
