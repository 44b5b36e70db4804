from typing import Any

import pytest

from actions.sensitive import MASK, cover, is_sensitive_name, mask, redact, redact_value, sensitive_values

SECRET = {"type": "string", "x-sensitive": True}


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"properties": {"diagnosis": SECRET}}, {"diagnosis": "canary"}),
        ({"properties": {"all": {"items": SECRET}}}, {"all": ["canary", "canary"]}),
        ({"prefixItems": [{}, SECRET]}, ["ok", "canary"]),
        ({"anyOf": [{"type": "null"}, SECRET]}, "canary"),
        ({"allOf": [{"properties": {"a": SECRET}}]}, {"a": "canary"}),
        ({"if": {"type": "string"}, "then": SECRET}, "canary"),
        ({"additionalProperties": SECRET}, {"whatever": "canary"}),
        ({"patternProperties": {"^x": SECRET}}, {"x1": "canary"}),
        ({"$defs": {"s": SECRET}, "properties": {"a": {"$ref": "#/$defs/s"}}}, {"a": "canary"}),
        ({"properties": {"tree": {"$ref": "#"}, "s": SECRET}}, {"tree": {"tree": {"s": "canary"}}}),
        ({"properties": {"whole": {"x-sensitive": True}}}, {"whole": {"deep": ["canary"]}}),
        ({}, {"cardNumber": "canary", "nested": [{"api-key": "canary", "db_password": {"x": "canary"}}]}),
        (True, {"token": "canary"}),
    ],
)
def test_a_sensitive_value_is_masked_wherever_the_schema_or_its_name_says_so(schema: Any, value: Any) -> None:
    assert "canary" not in str(mask(schema, value))
    assert MASK in str(mask(schema, value))


def test_what_is_not_sensitive_stays_and_the_original_is_untouched() -> None:
    value = {"name": "Ada", "password": "x", "monkey": "banana", "pinned": True, "secret": None}
    assert mask({}, value) == {"name": "Ada", "password": MASK, "monkey": "banana", "pinned": True, "secret": None}
    assert value["password"] == "x"


def test_a_schema_that_refers_to_itself_ends() -> None:
    assert mask({"$ref": "#"}, {"a": [1]}) == {"a": [1]}
    assert mask({"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"}, 1) == 1


def test_sensitive_texts_and_numbers_are_found_for_redaction_elsewhere() -> None:
    assert sensitive_values({"properties": {"a": SECRET}}, {"a": "x1", "card_number": 42424242}) == {"x1", "42424242"}


@pytest.mark.parametrize(
    "text",
    [
        "password=canary99",
        'api_key: "canary99"',
        "{'client_secret': 'canary99'}",
        "Authorization: Bearer canary99",
        "sent with bearer canary99",
        "DB_PASSWORD = canary99",
        "the token is fine but access_token=canary99 is not",
    ],
)
def test_what_follows_a_secret_name_in_text_is_redacted(text: str) -> None:
    assert "canary99" not in redact(text)


def test_known_secrets_are_redacted_the_longest_first() -> None:
    assert redact("abcdef and abcd", {"abcd", "abcdef"}) == f"{MASK} and {MASK}"


def test_short_secrets_do_not_eat_the_text() -> None:
    assert redact("a cat", {"a"}) == "a cat"


def test_values_are_redacted_by_key_and_by_content() -> None:
    value = {"headers": {"Authorization": "x"}, "list": ["the s3cr3t"], "n": 1}
    assert redact_value(value, {"s3cr3t"}) == {"headers": {"Authorization": MASK}, "list": [f"the {MASK}"], "n": 1}


@pytest.mark.parametrize("name", ["password", "dbPassword", "X-Api-Key", "accessToken", "cvv", "iban", "Set-Cookie"])
def test_secret_names_are_known_in_every_spelling(name: str) -> None:
    assert is_sensitive_name(name)


@pytest.mark.parametrize("name", ["tokens_used", "monkey", "idempotency_key", "pinned", "author", "shipping"])
def test_ordinary_names_are_not(name: str) -> None:
    assert not is_sensitive_name(name)


def test_covering_a_result_replaces_known_secrets_and_nothing_else() -> None:
    value = {"token": "t", "a": ["x canary y", 7, None], "canary": {"password": "canarycanary"}, "abc": "abc"}
    assert cover(value, {"canary", "abc"}) == {
        "token": "t",
        "a": [f"x {MASK} y", 7, None],
        MASK: {"password": MASK + MASK},
        "abc": "abc",
    }
    assert cover(value, ()) is value
