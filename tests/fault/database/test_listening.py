"""A server past the pooler that lets in and does not let listen: the cluster polls instead, and says so at first."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from django.db import connection
from pytest_django import Settings

from dotdo_site import embedded_postgres, listening_checks
from dotdo_site.postgres_programs import EmbeddedPostgresError
from tests.support.engine import start_action
from workflows import listener
from workflows.broker import HintBroker
from workflows.listener import Listener

COUNT = "SELECT count(*) FROM pg_stat_activity WHERE application_name = %s"


@pytest.fixture(scope="module")
def standby(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Run a server that is a standby for good, and give its address."""
    var = tmp_path_factory.mktemp("standby") / "var"
    embedded_postgres.start(var).stop()
    (embedded_postgres.locate(var).data / "standby.signal").touch()
    with suppress(EmbeddedPostgresError):  # it answers, and refuses the statements that make its roles
        embedded_postgres.start(var)
    yield embedded_postgres.application_url(var)
    embedded_postgres.remove(var)


def sessions(name: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(COUNT, [name])
        row: tuple[int] = cursor.fetchone() or (0,)
        return row[0]


@pytest.mark.usefixtures("handlers")
def test_a_standby_that_refuses_to_listen_does_not_make_the_cluster_deaf(settings: Settings, standby: str) -> None:
    settings.LISTEN_URL = standby
    broker = HintBroker()
    start_action("test-echo", {"value": 1})
    for _ in range(3):
        assert broker.dequeue(), "it asks for due work all the same"
    assert broker._listener._direct is None, "the session that cannot listen is not kept"


@pytest.mark.usefixtures("handlers")
def test_a_listener_listens_again_when_the_server_lets_it(
    settings: Settings, standby: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listener, "AGAIN_SECONDS", 0.0)
    settings.LISTEN_URL = standby
    hearing = Listener()
    hearing.listen()
    settings.LISTEN_URL = embedded_postgres.application_url(settings.VAR_DIR)
    hearing.listen()
    assert hearing._direct is not None
    hearing._direct.close()


@pytest.mark.usefixtures("db")
def test_what_the_address_to_listen_at_says_itself_goes_before_our_defaults(settings: Settings) -> None:
    here = embedded_postgres.application_url(settings.VAR_DIR)
    settings.LISTEN_URL = f"{here}&application_name=ears&connect_timeout=9"
    hearing = Listener()
    hearing.listen()
    assert hearing._direct is not None
    assert (sessions("ears"), hearing._direct.info.get_parameters()["connect_timeout"]) == (1, "9")
    assert hearing._direct.info.get_parameters()["tcp_user_timeout"] == "10000"
    hearing._direct.close()


def test_a_standby_to_listen_at_is_warned_of_and_one_that_is_away_too(settings: Settings, standby: str) -> None:
    settings.LISTEN_URL = standby
    (warned,) = listening_checks.check_where_to_listen(["default"])
    assert (warned.id, "standby" in warned.msg) == ("dotdo.W081", True)
    settings.LISTEN_URL = "postgresql://dotdo@127.0.0.1:1/dotdo"
    (away,) = listening_checks.check_where_to_listen(["default"])
    assert away.id == "dotdo.W081"


def test_an_address_where_the_cluster_can_listen_is_not_warned_of(settings: Settings, postgres: str) -> None:
    settings.LISTEN_URL = embedded_postgres.application_url(Path(settings.VAR_DIR))
    assert listening_checks.check_where_to_listen(["default"]) == []
