"""Signatures of webhooks: the published examples of each style, and everything that is none."""

import base64
import hmac
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflows.signatures import STYLES, TOLERANCE_SECONDS, complaint, message_id, usable, verify

# https://github.com/standard-webhooks/standard-webhooks, the example of the specification and of its libraries
STANDARD_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
STANDARD_BODY = b'{"test": 2432232314}'
STANDARD = {
    "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
    "webhook-timestamp": "1614265330",
    "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
}
STANDARD_AT = 1_614_265_330.0
# https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries, the values to test with
GITHUB_SECRET = "It's a Secret to Everybody"
GITHUB_BODY = b"Hello, World!"
GITHUB = {"x-hub-signature-256": "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"}
# https://docs.stripe.com/webhooks, "Verify webhook signatures manually": HMAC-SHA256 of `t.body`, in hexadecimal
STRIPE_SECRET = "whsec_test_secret"
STRIPE_BODY = b'{\n  "id": "evt_test_webhook",\n  "object": "event"\n}'
STRIPE_AT = 1_492_774_577.0
STRIPE_DIGEST = hmac.new(STRIPE_SECRET.encode(), b"1492774577." + STRIPE_BODY, "sha256").hexdigest()
STRIPE = {"stripe-signature": f"t=1492774577,v1={STRIPE_DIGEST},v0={'6f' * 32}"}
VECTORS: dict[str, tuple[str, dict[str, str], bytes, float]] = {
    "standard": (STANDARD_SECRET, STANDARD, STANDARD_BODY, STANDARD_AT),
    "github": (GITHUB_SECRET, GITHUB, GITHUB_BODY, 0.0),
    "stripe": (STRIPE_SECRET, STRIPE, STRIPE_BODY, STRIPE_AT),
}


@pytest.mark.parametrize("style", VECTORS)
def test_the_published_example_is_accepted(style: str) -> None:
    secret, headers, body, at = VECTORS[style]
    assert verify(style, [secret], headers, body, at)
    assert verify(style, ["another one", secret], headers, body, at)


@pytest.mark.parametrize("style", VECTORS)
def test_another_secret_body_or_style_is_not(style: str) -> None:
    secret, headers, body, at = VECTORS[style]
    assert not verify(style, [secret + "x"], headers, body, at)
    assert not verify(style, ["", "whsec_", "whsec_="], headers, body, at)
    assert not verify(style, [], headers, body, at)
    assert not verify(style, [secret], headers, body + b" ", at)
    assert not verify(style, [secret], {}, body, at)
    for other in VECTORS.keys() - {style}:
        assert not verify(other, [secret], headers, body, at)


@pytest.mark.parametrize("style", ["standard", "stripe"])
def test_the_time_may_be_five_minutes_off_and_no_more(style: str) -> None:
    secret, headers, body, at = VECTORS[style]
    for seconds in (TOLERANCE_SECONDS, -TOLERANCE_SECONDS):
        assert verify(style, [secret], headers, body, at + seconds)
        assert not verify(style, [secret], headers, body, at + seconds * 1.01)


def test_one_of_several_signatures_is_enough_and_other_versions_do_not_count() -> None:
    good = STANDARD["webhook-signature"]
    several = STANDARD | {"webhook-signature": f"v1a,xxxx v1,AAAA {good} v2,garbage"}
    assert verify("standard", [STANDARD_SECRET], several, STANDARD_BODY, STANDARD_AT)
    disguised = STANDARD | {"webhook-signature": good.replace("v1,", "v2,")}
    assert not verify("standard", [STANDARD_SECRET], disguised, STANDARD_BODY, STANDARD_AT)
    stripe = {"stripe-signature": f"t=1492774577,v1=00,v1={STRIPE_DIGEST}"}
    assert verify("stripe", [STRIPE_SECRET], stripe, STRIPE_BODY, STRIPE_AT)
    disguised = {"stripe-signature": f"t=1492774577,v0={STRIPE_DIGEST}"}
    assert not verify("stripe", [STRIPE_SECRET], disguised, STRIPE_BODY, STRIPE_AT)


def test_the_id_and_the_time_are_part_of_what_is_signed() -> None:
    assert not verify("standard", [STANDARD_SECRET], STANDARD | {"webhook-id": "other"}, STANDARD_BODY, STANDARD_AT)
    later = STANDARD | {"webhook-timestamp": "1614265331"}
    assert not verify("standard", [STANDARD_SECRET], later, STANDARD_BODY, STANDARD_AT)


def test_a_standard_secret_without_prefix_may_be_base64_or_text() -> None:
    bare = STANDARD_SECRET.removeprefix("whsec_")
    assert verify("standard", [bare], STANDARD, STANDARD_BODY, STANDARD_AT)
    digest = hmac.digest(b"plain text", b"msg_1.1614265330." + STANDARD_BODY, "sha256")
    signed = STANDARD | {"webhook-id": "msg_1", "webhook-signature": "v1," + base64.b64encode(digest).decode()}
    assert verify("standard", ["plain text"], signed, STANDARD_BODY, STANDARD_AT)


LATE = "The time of the signature is not within 5 minutes."
WRONG = "No secret of the connection gives this signature."


@pytest.mark.parametrize(
    ("style", "headers", "why"),
    [
        ("standard", {}, "The header webhook-id is missing."),
        ("standard", STANDARD | {"webhook-timestamp": ""}, "The header webhook-timestamp is missing."),
        ("standard", STANDARD | {"webhook-timestamp": "noon"}, "The header webhook-timestamp cannot be read."),
        ("standard", STANDARD | {"webhook-timestamp": "1614265000"}, LATE),
        ("standard", STANDARD | {"webhook-signature": ""}, "The header webhook-signature is missing."),
        ("standard", STANDARD | {"webhook-signature": "v2,x"}, "The header webhook-signature cannot be read."),
        ("standard", STANDARD, WRONG),
        ("github", {}, "The header x-hub-signature-256 is missing."),
        ("github", {"x-hub-signature-256": "sha1=00"}, "The header x-hub-signature-256 cannot be read."),
        ("github", {"x-hub-signature-256": "sha256=00"}, WRONG),
        ("stripe", {}, "The header stripe-signature is missing."),
        ("stripe", {"stripe-signature": "t=1614265330"}, "The header stripe-signature cannot be read."),
        ("stripe", {"stripe-signature": "t=noon,v1=00"}, "The header stripe-signature cannot be read."),
        ("stripe", {"stripe-signature": "t=1614265000,v1=00"}, LATE),
        ("stripe", {"stripe-signature": "t=1614265330,v1=00"}, WRONG),
    ],
)
def test_each_cause_of_a_refusal_has_its_own_text(style: str, headers: dict[str, str], why: str) -> None:
    assert complaint(style, [STANDARD_SECRET], headers, STANDARD_AT) == why


def test_a_secret_that_is_no_base64_is_named_when_the_signature_does_not_fit() -> None:
    assert "none is base64" in complaint("standard", ["plain text"], STANDARD, STANDARD_AT)
    assert "none is base64" not in complaint("standard", ["plain text", STANDARD_SECRET], STANDARD, STANDARD_AT)


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_not base64!"])
def test_a_secret_that_stands_for_no_bytes_cannot_be_used(secret: str) -> None:
    assert not usable("standard", [secret])
    assert usable("standard", [secret, STANDARD_SECRET])


HEADER_NAMES = ["webhook-id", "webhook-timestamp", "webhook-signature", "x-hub-signature-256", "stripe-signature"]
HOSTILE = st.one_of(
    st.text(max_size=80),
    st.sampled_from(["v1,", "v1", ",", "=", "sha256=", "t=1,v1=", "t=,v1=,", "t=1614265330", "1614265330", "-1", "1e9",
                     "9" * 5000, "\u0661", "\ud800", "v1,\udcff", "sha256=\xff", "t=NaN,v1=a", "NaN", "", " ", "\x00"]),
)  # fmt: skip


@given(
    style=st.sampled_from(sorted(STYLES)),
    secrets=st.lists(HOSTILE, max_size=3),
    headers=st.dictionaries(st.sampled_from(HEADER_NAMES), HOSTILE),
    body=st.binary(max_size=60),
    now=st.floats(min_value=0, max_value=1e11),
)
def test_whatever_is_sent_the_answer_is_no_and_never_an_exception(
    style: str, secrets: list[str], headers: dict[str, str], body: bytes, now: float
) -> None:
    assert verify(style, secrets, headers, body, now) is False
    assert complaint(style, secrets, headers, now).endswith(".")


@given(style=st.sampled_from(sorted(STYLES)), cut=st.integers(0, 70), text=st.text(max_size=3))
def test_a_damaged_signature_is_never_believed(style: str, cut: int, text: str) -> None:
    secret, headers, body, at = VECTORS[style]
    name = {"standard": "webhook-signature", "github": "x-hub-signature-256", "stripe": "stripe-signature"}[style]
    good = headers[name].partition(",v0")[0]
    damaged = good[: len(good) - 1 - cut % (len(good) - 1)] + text
    if damaged.strip() != good:
        assert verify(style, [secret], {**headers, name: damaged}, body, at) is False


@pytest.mark.parametrize(
    ("style", "headers", "value", "expected"),
    [
        ("standard", {"webhook-id": "msg_1"}, None, "msg_1"),
        ("github", {"x-github-delivery": "72d3162e"}, {"id": "not this"}, "72d3162e"),
        ("stripe", {"webhook-id": "not this"}, {"id": "evt_1"}, "evt_1"),
        ("stripe", {}, {"id": 7}, "sha256:"),
        ("stripe", {}, "no object", "sha256:"),
        ("standard", {"webhook-id": "with space"}, None, "sha256:"),
        ("standard", {"webhook-id": "x" * 181}, None, "sha256:"),
        ("standard", {"webhook-id": "\ud800"}, None, "sha256:"),
        ("github", {}, {}, "sha256:"),
    ],
)
def test_every_message_has_a_number(style: str, headers: dict[str, str], value: Any, expected: str) -> None:
    number = message_id(style, headers, value, b"body")
    assert number == expected or (expected.endswith(":") and number.startswith(expected) and len(number) == 71)


def test_other_bodies_and_odd_numbers_have_other_names() -> None:
    assert message_id("github", {}, None, b"a") != message_id("github", {}, None, b"b")
    odd = [message_id("standard", {"webhook-id": text}, None, b"") for text in ("a b", "a  b", "é")]
    assert len(set(odd)) == 3
