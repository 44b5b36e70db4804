import base64

import pytest
from django.core.exceptions import ImproperlyConfigured
from pytest_django.fixtures import Settings

from actions import ActionError, running, sealing, secrets
from actions.models import Connection
from actions.sealing import CannotDecrypt

OLD = "k1:" + base64.b64encode(b"1" * 32).decode()
NEW = "k2:" + base64.b64encode(b"2" * 32).decode()


@pytest.fixture(autouse=True)
def _keys(settings: Settings) -> None:
    settings.SECRETS_KEYS = [OLD]


def connection() -> Connection:
    row = Connection(name="crm", allowed_hosts=["api.example.com", "10.0.0.1:8080"])
    row.ciphertext = sealing.encrypt('{"token": "canary-1"}', f"connection:{row.pk}:secret")
    return row


def test_a_secret_reads_back_and_never_looks_the_same_twice() -> None:
    stored = {sealing.encrypt("s", "a") for _ in range(5)}
    assert len(stored) == 5
    assert {sealing.decrypt(one, "a") for one in stored} == {"s"}
    assert all(one.startswith("k1$") for one in stored)


def test_a_secret_moved_to_another_row_cannot_be_read() -> None:
    with pytest.raises(CannotDecrypt):
        sealing.decrypt(sealing.encrypt("s", "connection:1:secret"), "connection:2:secret")


@pytest.mark.parametrize("stored", ["", "x", "k1$x$y", "k1$AAAA$AAAA", "k1$$", "k1$" + "A" * 16 + "$" + "A" * 24])
def test_garbage_is_an_error_never_a_value(stored: str) -> None:
    with pytest.raises(CannotDecrypt):
        sealing.decrypt(stored, "a")


def test_the_first_key_encrypts_and_all_decrypt(settings: Settings) -> None:
    old = sealing.encrypt("s", "a")
    settings.SECRETS_KEYS = [NEW, OLD]
    assert sealing.decrypt(old, "a") == "s"
    assert sealing.encrypt("s", "a").startswith("k2$")
    settings.SECRETS_KEYS = [NEW]
    with pytest.raises(CannotDecrypt, match="k1"):
        sealing.decrypt(old, "a")


@pytest.mark.parametrize("keys", [[], ["k1"], ["k1:short"], [":" + "A" * 44], [OLD, OLD], ["a$b:" + OLD[3:]]])
def test_wrong_keys_are_a_setting_error_that_shows_no_key(settings: Settings, keys: list[str]) -> None:
    settings.SECRETS_KEYS = keys
    with pytest.raises(ImproperlyConfigured) as error:
        sealing.encrypt("s", "a")
    assert OLD[3:] not in str(error.value)


@pytest.mark.parametrize("host", ["api.example.com", "API.example.com", "api.example.com:443", "10.0.0.1:8080"])
def test_a_secret_goes_to_its_hosts_and_out_of_the_logs(host: str) -> None:
    with running.handler(running.Running("x", transactional=False)) as now:
        assert secrets.reveal_for(connection(), host) == {"token": "canary-1"}
        assert now.secrets == {"canary-1"}


@pytest.mark.parametrize(
    "host", ["evil.com", "api.example.com.evil.com", "xapi.example.com", "10.0.0.1", "10.0.0.1:80", ""]
)
def test_a_secret_goes_nowhere_else(host: str) -> None:
    with pytest.raises(ActionError, match="secret_refused") as error:
        secrets.reveal_for(connection(), host)
    assert "canary-1" not in str(error.value)


def test_a_refused_host_is_told_the_hosts_in_plain_words() -> None:
    with pytest.raises(ActionError, match="its connection lists only api") as error:
        secrets.reveal_for(connection(), "evil.com")
    assert "[" not in str(error.value)


def test_a_connection_without_secret_says_so() -> None:
    with pytest.raises(ActionError, match="no_secret"):
        secrets.reveal_for(Connection(name="crm", allowed_hosts=["a.b"]), "a.b")
