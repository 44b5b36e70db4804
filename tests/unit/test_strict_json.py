"""Hostile documents are refused with a reason, quickly; good ones come through unchanged."""

import json
import time

import pytest

from dotdo_site.lib.strict_json import MAX_BYTES, MAX_VALUES, BadJSON, TooLarge, loads

HOSTILE: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "line 1, column 1"),
    "blank": (b" \n\t ", "not JSON"),
    "garbage": (b"hello", "not JSON"),
    "nan": (b'{"a": NaN}', "NaN is not JSON (line 1, column 7)"),
    "infinity": (b"[Infinity]", "Infinity"),
    "minus infinity": (b"[-Infinity]", "-Infinity"),
    "float overflow": (b"[1e999]", "too large for a double"),
    "negative float overflow": (b"[-1e999]", "too large for a double"),
    "integer beyond 2^53": (b"[9007199254740992]", "2^53"),
    "negative integer beyond 2^53": (b"[-9007199254740992]", "2^53"),
    "400 digits": (b"[" + b"9" * 401 + b"]", "400 characters"),
    "a million digits": (b"9" * 1_000_000, "400 characters"),
    "long fraction": (b"0." + b"1" * 1_000, "400 characters"),
    "leading zero": (b"[01]", "not JSON"),
    "leading plus": (b"[+1]", "not JSON"),
    "hexadecimal": (b"[0x10]", "not JSON"),
    "number with two points": (b"[1.2.3]", "not JSON"),
    "duplicate key": (b'{\n "a": 1,\n "a": 2}', 'the key "a" appears twice in one object (line 3, column 2)'),
    "duplicate key by escape": (b'{"a": 1, "\\u0061": 2}', "twice"),
    "duplicate key inside": (b'[{"x": {"a": 1, "a": 2}}]', "twice"),
    "duplicate key after a child": (b'{"a": {"a": 1}, "a": 2}', "twice"),
    "nul escaped": (b'["\\u0000"]', "NUL"),
    "nul raw": (b'["\x00"]', "NUL"),
    "nul between tokens": (b"[1,\x002]", "not JSON"),
    "nul in key": (b'{"a\\u0000b": 1}', "NUL"),
    "lone high surrogate": (b'["\\ud800"]', "surrogate"),
    "lone low surrogate": (b'["\\udc00"]', "surrogate"),
    "surrogates in the wrong order": (b'["\\udc00\\ud800"]', "surrogate"),
    "surrogate in key": (b'{"\\ud83d": 1}', "surrogate"),
    "utf-8 encoded surrogate": (b'["\xed\xa0\x80"]', "not UTF-8: byte 2"),
    "overlong utf-8": (b'["\xc0\xaf"]', "not UTF-8"),
    "latin-1": (b'["caf\xe9"]', "not UTF-8"),
    "byte order mark": (b"\xef\xbb\xbf{}", "byte order mark"),
    "utf-16": ("{}".encode("utf-16"), "byte order mark"),
    "65 lists": (b"[" * 65 + b"]" * 65, "64 levels"),
    "65 objects": (b'{"a":' * 65 + b"1" + b"}" * 65, "64 levels"),
    "65 lists behind brackets in strings": (b'["]",' * 65 + b"1" + b"]" * 65, "64 levels"),
    "65 lists and objects in turn": (b'[{"a":' * 32 + b"[1]" + b"}]" * 32, "64 levels"),
    "half a million lists in each other": (b"[" * 500_000 + b"]" * 500_000, "64 levels"),
    "a million open lists": (b"[" * 1_000_000, "64 levels"),
    "5,001 keys": (json.dumps({str(n): 1 for n in range(5_001)}).encode(), "5000 keys"),
    "too many values": (b"[" + b"1," * MAX_VALUES + b"1,1]", "values"),
    "trailing comma": (b"[1,]", "not JSON"),
    "trailing text": (b"{} {}", "not JSON"),
    "single quotes": (b"{'a': 1}", "not JSON"),
    "comment": (b"{} // no", "not JSON"),
    "no closing bracket": (b'{"a": 1', "not JSON"),
    "too many closing brackets": (b"]]]]", "not JSON"),
    "string without end": (b'{"a": "b', "no end"),
    "escaped quotes without end": (b'"' + b'\\"' * 500_000, "no end"),
    "quotes only": (b'"' * 1_000_001, "no end"),
    "raw newline in string": (b'["a\nb"]', "not JSON"),
    "bad escape": (b'["\\x41"]', "not JSON"),
    "short unicode escape": (b'["\\u12"]', "not JSON"),
    "bare word": (b"[True]", "not JSON"),
    "key without quotes": (b"{a: 1}", "not JSON"),
    "number as key": (b"{1: 1}", "not JSON"),
    "backslash outside a string": (b"[\\u0031]", "not JSON"),
}
FINE: dict[str, tuple[bytes, object]] = {
    "object": (b' {"a": [1, -2.5, true, false, null, "x"]}\n', {"a": [1, -2.5, True, False, None, "x"]}),
    "largest integer": (b"[9007199254740991, -9007199254740991]", [9007199254740991, -9007199254740991]),
    "astral pair": (b'["\\ud83d\\ude00"]', ["\U0001f600"]),
    "64 levels": (b"[" * 64 + b"]" * 64, json.loads("[" * 64 + "]" * 64)),
    "same key in siblings": (b'[{"a": 1}, {"a": 2}]', [{"a": 1}, {"a": 2}]),
    "words and brackets inside strings": (b'["NaN", "[[[", "\\"", "1e999"]', ["NaN", "[[[", '"', "1e999"]),
    "a string value followed by a colon in a string": (b'["a", ": b"]', ["a", ": b"]),
    "bare scalar": (b"3", 3),
    "many records": (json.dumps([{"a": n} for n in range(20_000)]).encode(), [{"a": n} for n in range(20_000)]),
    "direction override stays text": ('["a\u202eb"]'.encode(), ["a\u202eb"]),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_document_is_refused_with_a_reason_within_a_second(name: str) -> None:
    raw, reason = HOSTILE[name]
    began = time.process_time()
    with pytest.raises(BadJSON) as caught:
        loads(raw)
    assert time.process_time() - began < 1
    assert reason in caught.value.message


@pytest.mark.parametrize("name", FINE)
def test_a_good_document_comes_through_unchanged(name: str) -> None:
    raw, value = FINE[name]
    assert loads(raw) == value


def test_a_body_over_the_limit_is_told_apart_so_that_it_can_be_a_413() -> None:
    with pytest.raises(TooLarge):
        loads(b" " * (MAX_BYTES + 1))


def test_a_body_of_exactly_the_limit_is_accepted() -> None:
    assert loads(b'"' + b"x" * (MAX_BYTES - 2) + b'"') == "x" * (MAX_BYTES - 2)


def test_negative_zero_becomes_the_zero_that_the_database_will_return() -> None:
    assert str(loads(b"-0.0")) == "0.0"


def test_the_message_never_repeats_a_value() -> None:
    with pytest.raises(BadJSON) as caught:
        loads(b'{"password": "hunter2\\u0000"}')
    assert "hunter2" not in caught.value.message


def test_pairs_of_brackets_are_counted_by_their_depth_and_not_by_their_number() -> None:
    raw = b"[" + b'[{}, {"a": []}], ' * 1_000 + b"0]"
    assert loads(raw, max_depth=4) == json.loads(raw)
    with pytest.raises(BadJSON, match="3 levels"):
        loads(raw, max_depth=3)


def test_limits_can_be_lowered_by_the_caller() -> None:
    with pytest.raises(BadJSON, match="2 levels"):
        loads(b"[[[]]]", max_depth=2)
    with pytest.raises(BadJSON, match="1 keys"):
        loads(b'{"a": 1, "b": 2}', max_keys=1)
