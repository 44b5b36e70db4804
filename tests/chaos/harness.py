"""One round of chaos: build the arena, let clients and faults at it, wait until it is quiet, then check everything."""

import json
import shutil
import subprocess
import threading
import time
from collections import Counter
from pathlib import Path

import psycopg
from django.db import connection

from audit.verify import verify
from dotdo_site import embedded_postgres
from dotdo_site.postgres_programs import programs
from dotdo_site.postgres_settings import DATABASE, PORT, SUPERUSER
from tests.chaos import plan, result, setup
from tests.chaos.api import Caller
from tests.chaos.arena import Arena, built, superuser
from tests.chaos.clients import Clients
from tests.chaos.evidence import Break, Evidence, Mail, read
from tests.chaos.faults import Faults
from tests.chaos.invariants import violations
from tests.chaos.options import Options
from tests.chaos.recovery import Recovery

DRAIN_SECONDS = 60.0
CUT_SHARE = 0.004
QUIET_SECONDS = 1.0
INSIST_SECONDS = 2.0
BACKLOG = 300
OPEN = """
SELECT (SELECT count(*) FROM run WHERE state IN ('pending', 'running', 'waiting', 'suspended')
    OR state = 'failed' AND reason = 'poisoned')
    + (SELECT count(*) FROM notice WHERE state = 'new') + (SELECT count(*) FROM notification
        WHERE state = 'waiting' AND greatest(due_at, lease_expires_at) < now())
"""


def play(options: Options) -> result.Result:
    """Attack one installation and say what became of it."""
    with built(options) as arena:
        keys = setup.actions_and_keys()
        connection.close()
        arena.start()
        setup.publish(Caller(arena.port, keys[-1], threading.Event()), arena.sink.url)
        connection.close()
        found = _attack(options, arena, keys)
        print(result.table(found), flush=True)
        _keep(options, arena, found)
    return found


def _attack(options: Options, arena: Arena, keys: list[str]) -> result.Result:
    clients = Clients(arena.port, keys, arena.sink, options.seed, options.rate)
    recovery = Recovery(options.var)
    faults = Faults(arena, recovery)
    scheduled = (
        [] if options.calm else plan.schedule(options.seed, options.duration, options.pause, kinds=_kinds(options))
    )
    recovery.start()
    clients.start()
    arena.proxy.rate = 0.0 if options.calm or options.only_kills else CUT_SHARE
    backlog = threading.Thread(target=_hold_back, args=[options, clients], daemon=True)
    backlog.start()
    _go(options, arena, faults, scheduled)
    faults.cease()
    clients.enough.set()
    drained = _drain(arena, clients, faults)
    clients.stop()
    arena.stop()
    recovery.stop()
    evidence = _evidence(options, arena, clients)
    found = result.result(options, evidence, faults, recovery, arena.logs, drained)
    found.violations = violations(evidence)
    if arena.unclean:
        found.violations["what is told to stop ends by itself"] = arena.unclean
    if clients.failures:
        found.violations["the harness itself works"] = [repr(error) for error in clients.failures]
    found.too_little = list(result.too_little(found, Counter(fault.kind for fault in scheduled)))
    return found


def _hold_back(options: Options, clients: Clients) -> None:
    """Let clients wait while so much is open that it could not be drained in time."""
    while not clients.enough.wait(QUIET_SECONDS):
        try:
            with superuser(options.var) as direct:
                row = direct.execute(OPEN).fetchone()
        except psycopg.Error:
            continue
        if row is not None and row[0] > BACKLOG:
            clients.hold.set()
        else:
            clients.hold.clear()


def _kinds(options: Options) -> tuple[str, ...]:
    return plan.KILLS if options.only_kills else tuple(plan.WEIGHTS)


def _go(options: Options, arena: Arena, faults: Faults, scheduled: list[plan.Fault]) -> None:
    """Let one fault after the other happen until the time is over; one that takes long does not hurry the next."""
    end = time.monotonic() + options.duration
    for fault in scheduled:
        due = time.monotonic() + fault.pause
        while time.monotonic() < min(due, end):
            _tend(arena, faults)
        if time.monotonic() >= end:
            return
        _insist(arena, faults, fault)
    while time.monotonic() < end:
        _tend(arena, faults)


def _insist(arena: Arena, faults: Faults, fault: plan.Fault) -> None:
    """Let a fault happen; where the process that it wants is just not there, a little later."""
    end = time.monotonic() + INSIST_SECONDS
    while not faults.happen(fault) and time.monotonic() < end:
        _tend(arena, faults)


def _tend(arena: Arena, faults: Faults) -> None:
    arena.keep()
    faults.tend()
    time.sleep(0.05)


def _drain(arena: Arena, clients: Clients, faults: Faults) -> float:
    """Wait until all runs have ended, at most a minute; return how long it took."""
    began = time.monotonic()
    caller = Caller(arena.port, clients.keys[-1], clients.over)
    caller.until_answered("POST", "/api/v1/schedules/chaos-tick/pause", {"reason": "the chaos is over"})
    quiet_since = 0.0
    while time.monotonic() - began < DRAIN_SECONDS:
        _tend(arena, faults)
        time.sleep(0.2)
        with superuser(arena.options.var) as direct:
            row = direct.execute(OPEN).fetchone()
        if row is None or row[0]:
            quiet_since = 0.0
        elif not quiet_since:
            quiet_since = time.monotonic()
        elif time.monotonic() - quiet_since > QUIET_SECONDS:
            break
    return time.monotonic() - began


def _evidence(options: Options, arena: Arena, clients: Clients) -> Evidence:
    with superuser(options.var) as direct:
        evidence = read(direct)
    evidence.broken = [Break(str(found.chain), found.seq, found.why) for found in verify().broken]
    evidence.deliveries = list(arena.sink.deliveries)
    evidence.mails = [Mail(str(mail["Message-ID"]), str(mail["Subject"])) for mail in arena.post.mails]
    evidence.view, evidence.calm = clients.view, options.calm
    return evidence


def _keep(options: Options, arena: Arena, found: result.Result) -> None:
    """Keep the figures; after a violation also the logs and a dump, and say how to look at them."""
    last = options.var / "last"
    shutil.rmtree(last, ignore_errors=True)
    last.mkdir()
    (last / "result.json").write_text(json.dumps(found.as_dict(), indent=1))
    if not found.violations or options.mutant:
        return
    folder = options.var / f"failed-{options.seed}-{time.strftime('%Y%m%d-%H%M%S')}"
    shutil.copytree(arena.logs, folder)
    shutil.copy(last / "result.json", folder)
    _dump(options.var, folder / "database.dump")
    print(
        f"kept in {folder}: the logs, result.json, and database.dump (look with pg_restore or `createdb` and restore)"
    )


def _dump(var: Path, file: Path) -> None:
    sockets = embedded_postgres.locate(var).sockets
    command = [str(programs() / "pg_dump"), "-Fc", "-h", str(sockets), "-p", str(PORT), "-U", SUPERUSER]
    with file.open("wb") as out:
        subprocess.run([*command, "-d", DATABASE], stdout=out, check=False)
