import datetime as dt
import enum
import uuid
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, EmailStr, Field, SecretStr
from typing_extensions import TypedDict

from actions.errors import ActionError
from actions.schemas import check_schema, problems
from actions.signatures import SignatureError, bind, dump, from_signature

NO_PASSWORD = SecretStr("x")


class Colour(enum.Enum):
    RED = "red"


@dataclass
class Charge:
    id: str
    amount: Decimal


class Address(BaseModel):
    street: str
    number: int = 1


class Point(TypedDict):
    x: int


def charge(
    ctx: object, customer_id: str, amount: Annotated[Decimal, Field(gt=0)], currency: Literal["EUR", "USD"] = "EUR"
) -> Charge:
    return Charge(customer_id, amount)


def many(
    ctx: object,
    mail: EmailStr,
    on: dt.date,
    at: dt.datetime,
    ref: uuid.UUID,
    colour: Colour,
    address: Address,
    point: Point,
    tags: set[str],
    password: SecretStr = NO_PASSWORD,
    note: str | None = None,
) -> list[Charge]:
    return []


def untyped(ctx, anything, other=3): ...  # type: ignore[no-untyped-def]


MANY = {
    "mail": "a@b.example",
    "on": "2026-02-28",
    "at": "2026-02-28T10:00:00Z",
    "ref": "0190f3c2-0000-7000-8000-000000000000",
    "colour": "red",
    "address": {"street": "High"},
    "point": {"x": 1},
    "tags": ["a"],
}


@pytest.mark.parametrize("function", [charge, many, untyped])
def test_what_a_signature_says_can_be_enforced(function: Any) -> None:
    for schema in from_signature(function):
        assert check_schema(schema) == []


def test_a_typed_input_arrives_as_python_values() -> None:
    schema, _ = from_signature(many)
    assert problems(schema, MANY) == []
    bound = bind(many, MANY)
    assert bound["on"] == dt.date(2026, 2, 28)
    assert bound["colour"] is Colour.RED
    assert bound["address"] == Address(street="High")
    assert bound["ref"] == uuid.UUID(MANY["ref"])  # type: ignore[arg-type]
    assert "note" not in bound


def test_money_keeps_its_digits_in_both_directions() -> None:
    assert bind(charge, {"customer_id": "c", "amount": "19.90"})["amount"] == Decimal("19.90")
    assert dump(Charge("1", Decimal("19.90")), Charge) == {"id": "1", "amount": "19.90"}


@pytest.mark.parametrize("amount", ["abc", "1,5", "", "0x1", "1e", "--1", None, True])
def test_money_that_is_none_is_refused_before_a_run_exists(amount: object) -> None:
    schema, _ = from_signature(charge)
    assert problems(schema, {"customer_id": "c", "amount": amount})


def test_a_field_the_function_does_not_take_is_refused() -> None:
    schema, _ = from_signature(charge)
    assert [p.pointer for p in problems(schema, {"customer_id": "c", "amount": 1, "amonut": 2})] == ["/amonut"]


def test_a_default_is_shown_but_a_secret_one_is_not() -> None:
    assert from_signature(charge)[0]["properties"]["currency"]["default"] == "EUR"
    password = from_signature(many)[0]["properties"]["password"]
    assert password["x-sensitive"] is True
    assert "default" not in password


def test_what_only_the_type_refuses_is_an_invalid_input_without_the_value() -> None:
    with pytest.raises(ActionError) as error:
        bind(charge, {"customer_id": "c", "amount": "-19.75"})
    assert error.value.code == "invalid_input"
    assert not error.value.retryable
    assert "19.75" not in str(error.value)


@pytest.mark.parametrize("function", [lambda: None, lambda *args: None, lambda ctx, *rest: None, lambda *, ctx: None])
def test_a_signature_without_a_context_or_without_names_is_refused(function: Any) -> None:
    with pytest.raises(SignatureError):
        from_signature(function)


def test_a_type_that_json_has_no_form_for_is_refused() -> None:
    def handler(ctx: object, socket: object) -> None: ...

    class Opaque: ...

    def opaque(ctx: object, thing: Opaque) -> None: ...

    opaque.__annotations__["thing"] = Opaque
    with pytest.raises(SignatureError, match="opaque"):
        from_signature(opaque)


@pytest.mark.parametrize("value", [object(), {"a": lambda: 1}])
def test_a_result_that_is_not_json_is_an_invalid_output(value: object) -> None:
    with pytest.raises(ActionError, match="invalid_output"):
        dump(value)


def test_rich_results_become_json_without_an_annotation() -> None:
    value = {"on": dt.date(2026, 1, 2), "sum": Decimal("1.10"), "who": Address(street="x"), "t": (1, 2)}
    assert dump(value) == {"on": "2026-01-02", "sum": "1.10", "who": {"street": "x", "number": 1}, "t": [1, 2]}
