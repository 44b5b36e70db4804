from typing import Any

import pytest
from pytest_django.fixtures import Settings

from actions.context import Context
from actions.contract import Contract
from actions.invoke import Outcome, invoke
from actions.retry import Retry
from tests.integration.actions.post import Post

CONFIG = {
    "to": "{{ email }}",
    "subject": "Hi {{ name }}",
    "text": "Hello {{ name }}\n.\nBye",
    "html": "<p>{{ name }}</p>",
}
ADA = {"email": "ada@example.com", "name": "Ada <b>"}


def run(config: dict[str, Any] | None = None, value: Any = None, key: str = "run:step") -> Outcome:
    contract = Contract(
        "email", CONFIG | (config or {}), {}, {}, Retry().as_dict(), 3_000, "keyed", False, "retry", "default"
    )
    return invoke(contract, ADA if value is None else value, Context("r", "s", 1, key, 1))


def failed(outcome: Outcome) -> tuple[str, bool, bool]:
    assert outcome.failure is not None
    return outcome.failure.code, outcome.failure.retryable, outcome.failure.definite


def test_a_mail_arrives_as_written_and_escaped_where_it_must_be(mailbox: Post) -> None:
    outcome = run()
    mail = mailbox.mails[0]
    assert outcome.output == {"message_id": mail["Message-ID"], "recipients": ["ada@example.com"]}
    assert (mail["To"], mail["Subject"]) == ("ada@example.com", "Hi Ada <b>")
    plain, html = mail.get_body(("plain",)), mail.get_body(("html",))
    assert plain is not None
    assert html is not None
    assert plain.get_content().replace("\r\n", "\n") == "Hello Ada <b>\n.\nBye\n"
    assert html.get_content().strip() == "<p>Ada &lt;b&gt;</p>"


def test_a_retry_is_the_same_mail_and_another_step_is_not(mailbox: Post) -> None:
    run()
    run()
    run(key="run:other")
    first, second, other = (mail["Message-ID"] for mail in mailbox.mails)
    assert first == second != other
    assert first.endswith("@example.com>")


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ({"DATA": "451 later"}, ("smtp_451", True, True)),
        ({"DATA": "554 spam"}, ("smtp_554", False, True)),
        ({"RCPT": "450 greylisted"}, ("smtp_450", True, True)),
        ({"RCPT": "550 unknown"}, ("smtp_550", False, True)),
        ({"MAIL": "421 closing"}, ("smtp_421", True, True)),
        ({"BEFORE DATA": "452 full"}, ("smtp_452", True, True)),
        ({"CONNECT": "554 go away"}, ("smtp_554", False, True)),
        ({"CONNECT": "421 busy"}, ("smtp_421", True, True)),
    ],
)
def test_a_refusal_is_temporary_or_final_and_nobody_got_the_mail(
    mailbox: Post, answers: dict[str, str], expected: tuple[str, bool, bool]
) -> None:
    mailbox.answers = answers
    assert failed(run()) == expected
    assert mailbox.mails == []


def test_two_refusals_then_success_deliver_one_mail(mailbox: Post) -> None:
    mailbox.answers = {"DATA": "451 later"}
    assert not run().ok
    assert not run().ok
    mailbox.answers = {}
    assert run().ok
    assert len(mailbox.mails) == 1


def test_all_recipients_get_it_or_none(mailbox: Post) -> None:
    mailbox.answers = {"RCPT2": "550 unknown"}
    assert failed(run({"to": ["a@example.com", "b@example.com"]}))[0] == "smtp_550"
    assert mailbox.mails == []


def test_a_server_that_is_rude_at_goodbye_does_not_cause_a_second_mail(mailbox: Post) -> None:
    mailbox.answers = {"QUIT": "500 what"}
    assert run().ok
    mailbox.hang_up_at = "QUIT"
    assert run().ok


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        ("MAIL", ("connection_failed", True, True)),
        ("RCPT", ("connection_failed", True, True)),
        ("AFTER DATA", ("connection_lost", True, False)),
    ],
)
def test_a_lost_connection_tells_whether_the_mail_may_be_out(
    mailbox: Post, moment: str, expected: tuple[str, bool, bool]
) -> None:
    mailbox.hang_up_at = moment
    assert failed(run()) == expected


@pytest.mark.parametrize("field", ["email", "name"])
@pytest.mark.parametrize("evil", ["x\r\nBcc: evil@example.com", "x\nBcc: evil@example.com", "x\r.\r\n"])
def test_data_cannot_add_headers(mailbox: Post, field: str, evil: str) -> None:
    assert failed(run(value=ADA | {field: evil}))[0] in {"invalid_header", "invalid_address"}
    assert mailbox.mails == []


@pytest.mark.parametrize(
    "evil",
    [
        "a@example.com, evil@example.com",
        "a@example.com;evil@example.com",
        "",
        "nobody",
        "<>",
        "a@",
        None,
        5,
        "é@example.com",
    ],
)
def test_data_cannot_add_recipients(mailbox: Post, evil: object) -> None:
    assert failed(run(value=ADA | {"email": evil}))[0] == "invalid_address"
    assert mailbox.mails == []


def test_a_field_that_is_a_list_is_many_recipients(mailbox: Post) -> None:
    assert run({"cc": "Bob <bob@example.com>"}, ADA | {"email": ["a@example.com", "b@example.com"]}).ok
    assert mailbox.envelopes == [["a@example.com", "b@example.com", "bob@example.com"]]


def test_there_is_a_limit_to_recipients(mailbox: Post) -> None:
    outcome = run(value=ADA | {"email": [f"a{n}@example.com" for n in range(51)]})
    assert failed(outcome)[0] == "invalid_address"


def test_a_line_with_a_dot_does_not_end_the_mail(mailbox: Post) -> None:
    run({"html": "<p>x</p>", "text": "{{ name }}"}, ADA | {"name": "a"})
    run({"text": "{{ body }}"}, ADA | {"body": "one\r\n.\r\nMAIL FROM:<evil@example.com>\r\n..two"})
    assert len(mailbox.mails) == 2
    body = mailbox.mails[1].get_body(("plain",))
    assert body is not None
    assert "..two" in body.get_content()


def test_an_inner_mail_server_needs_permission(mailbox: Post, settings: Settings) -> None:
    settings.OUTGOING_ALLOW = []
    assert failed(run()) == ("blocked_address", False, True)


def test_letters_of_all_scripts_arrive(mailbox: Post) -> None:
    run(value=ADA | {"name": "Zoë 日本"})
    assert mailbox.mails[0]["Subject"] == "Hi Zoë 日本"
    body = mailbox.mails[0].get_body(("plain",))
    assert body is not None
    assert "Zoë 日本" in body.get_content()
