"""A host without a watchdog: worker processes that nobody ends when they freeze, and that come back when they die.

They are forked from one process that has loaded everything, so one that is killed is replaced within milliseconds.
"""

import os
import signal
import time
from collections.abc import Callable

from dotdo_site.lib.parent_death import die_with_parent

WORKERS = 8


def main() -> None:
    """Keep so many workers until the parent ends."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "dotdo_site.settings"
    import django

    django.setup()
    from actions import registry

    registry.discover()
    follow = die_with_parent(signal.SIGKILL)
    workers: set[int] = set()
    while True:
        while len(workers) < WORKERS:
            workers.add(_fork(follow))
        workers.discard(os.waitpid(-1, os.WUNTRACED)[0])  # one that is stopped counts as missing


def _fork(follow: Callable[[], None]) -> int:
    pid = os.fork()
    if pid == 0:
        follow()
        _work()
        os._exit(0)
    return pid


def _work() -> None:
    """Work as the cluster's processes do; one that was frozen in between ends what it had begun, and goes."""
    from tests.fault.failpoints import points
    from workflows import claim, worker

    while not points.thawed:
        claim.reap()
        worker.work()
        time.sleep(0.1)


if __name__ == "__main__":
    main()
