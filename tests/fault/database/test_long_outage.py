"""A database that is away for longer than a lease: workers that live lose nothing, what they did outside is kept."""

import time
from pathlib import Path

import pytest
from django.db import connection

from audit.verify import verify
from tests.support.cluster import cluster, until
from tests.support.engine import start_action, state
from tests.support.own_database import OwnDatabase
from workflows.models import Attempt, Step

LEASE_SECONDS = 6.0
AWAY_SECONDS = 8.0
pytestmark = pytest.mark.timeout(180)


def test_living_workers_keep_their_steps_through_an_outage_longer_than_a_lease(
    own_handlers: OwnDatabase, tmp_path: Path
) -> None:
    files = {"under way when it is back": 12.0, "done while it is away": 3.0}
    runs = [
        start_action("test-outside", {"file": str(tmp_path / name), "sleep": seconds})
        for name, seconds in files.items()
    ]
    connection.close()
    with cluster(tmp_path / "log", DATABASE_URL=own_handlers.url, DOTDO_LEASE_SECONDS=str(LEASE_SECONDS)):
        until(lambda: all((tmp_path / name).exists() for name in files))
        own_handlers.stop()
        time.sleep(AWAY_SECONDS)
        own_handlers.start()
        until(lambda: all(state(run_id) == "succeeded" for run_id in runs), 60)
    assert [len((tmp_path / name).read_text().splitlines()) for name in files] == [1, 1], "each effect once"
    assert not Step.objects.filter(crashes__gt=0).exists()
    assert not Attempt.objects.exists()
    assert verify().broken == []
