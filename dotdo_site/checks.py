"""System checks: a wrong setting stops the start with a number and a hint, instead of surprising somebody later.

Each rule looks at one thing and yields what is wrong with it.
"""

import base64
import binascii
import ipaddress
import os
import re
from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage, Error, Tags, register
from django.core.exceptions import ImproperlyConfigured

from dotdo_site import variables

KEY_BYTES = 32
SHORTEST_KEY = 40
ROLE_NAME = re.compile(r"[a-z_][a-z0-9_]{0,62}")
BROKER = "workflows.broker.HintBroker"
LAST_PORT = 65_535
SHORTEST_MEMORY_DAYS = 7  # a sender that repeats an event does so within days
LONGEST_KEPT_DAYS = 36_500


@register(Tags.security)
def check_keys(**_: Any) -> list[CheckMessage]:
    """Check that every secret key is there and usable."""
    return [*_signing_keys(), *_encryption_keys()]


@register(Tags.database)
def check_database(**_: Any) -> list[CheckMessage]:
    """Check that the database settings keep the engine's promises."""
    return [*_engine(), *_roles()]


@register()
def check_running(**_: Any) -> list[CheckMessage]:
    """Check the settings of workers, of the public address, of outgoing connections and of what is kept."""
    return [*_workers(), *_outgoing(), *_address(), *_retention()]


@register()
def check_environment(**_: Any) -> list[CheckMessage]:
    """Check that every variable that looks like one of ours is one."""
    return [
        checks.Warning(
            f"{name} is set, but dotdo reads no such variable.",
            hint=f"Did you mean {near}?" if near else "docs/operating.md lists the variables; unset this one.",
            id="dotdo.W022",
        )
        for name, near in variables.unknown(os.environ).items()
    ]


@register(Tags.security, deploy=True)
def check_production(**_: Any) -> list[CheckMessage]:
    """Check what only matters once other people can reach the server."""
    return list(_exposure())


def _signing_keys() -> Iterator[CheckMessage]:
    hint = (
        "Run `make up` or `make migrate` once: it makes var/keys/keys.json. Or set the variable to a long random text."
    )
    keys = {"SECRET_KEY": _secret_key(), "DOTDO_API_KEY_PEPPER": settings.API_KEY_PEPPER}
    for name, value in keys.items():
        if not value:
            yield Error(f"{name} is missing.", hint=hint, id="dotdo.E001")
        elif len(value) < SHORTEST_KEY:
            yield Error(
                f"{name} has only {len(value)} characters; {SHORTEST_KEY} are needed.", hint=hint, id="dotdo.E002"
            )


def _secret_key() -> str:
    try:
        return settings.SECRET_KEY
    except ImproperlyConfigured:  # what Django answers for an empty one
        return ""


def _encryption_keys() -> Iterator[CheckMessage]:
    hint = "Use name:base64 pairs of 32 random bytes, the newest first, as in var/keys/keys.json."
    if not settings.SECRETS_KEYS:
        yield Error("DOTDO_SECRETS_KEYS is missing.", hint=hint, id="dotdo.E003")
    names = [pair.partition(":")[0] for pair in settings.SECRETS_KEYS]
    if len(set(names)) < len(names):
        yield Error("DOTDO_SECRETS_KEYS uses a name twice.", hint=hint, id="dotdo.E004")
    for position, pair in enumerate(settings.SECRETS_KEYS, 1):
        name, _, encoded = pair.partition(":")
        if not name or not _is_key(encoded):
            yield Error(f"DOTDO_SECRETS_KEYS: pair {position} is not a key.", hint=hint, id="dotdo.E005")


def _is_key(encoded: str) -> bool:
    try:
        return len(base64.b64decode(encoded, validate=True)) == KEY_BYTES
    except binascii.Error:
        return False


def _engine() -> Iterator[CheckMessage]:
    database = settings.DATABASES["default"]
    if database["ENGINE"] != "django.db.backends.postgresql":
        hint = "Set DATABASE_URL to postgres://..., or leave it unset for the embedded server."
        yield Error("dotdo runs on PostgreSQL only.", hint=hint, id="dotdo.E010")
    if database.get("ATOMIC_REQUESTS"):
        hint = "Remove it: an outer transaction would delay commits past the answer that reports them."
        yield Error("ATOMIC_REQUESTS is on.", hint=hint, id="dotdo.E011")
    if settings.LISTEN_URL and not settings.LISTEN_URL.startswith(("postgres://", "postgresql://")):
        hint = "Write it like DATABASE_URL, with the address of the server itself: postgres://user:password@host/name"
        yield Error("DOTDO_LISTEN_URL is not the address of a PostgreSQL server.", hint=hint, id="dotdo.E014")
    if "pool" in database.get("OPTIONS", {}):
        hint = "Remove `pool` from DATABASE_URL: a pool breaks when workers fork. Use PgBouncer instead."
        yield Error("A connection pool is configured.", hint=hint, id="dotdo.E012")


def _roles() -> Iterator[CheckMessage]:
    role = settings.APPLICATION_ROLE
    if role and not ROLE_NAME.fullmatch(role):
        hint = "Use a plain PostgreSQL role name: lower-case letters, digits and underscores."
        yield Error(f"DOTDO_APPLICATION_ROLE={role!r} is not a role name.", hint=hint, id="dotdo.E013")


def _workers() -> Iterator[CheckMessage]:
    limits = {
        "DOTDO_WORKERS": (settings.WORKERS, 1, 1000),
        "DOTDO_LEASE_SECONDS": (settings.LEASE_SECONDS, 3, 3600),
        "DOTDO_TIME_SLICE_SECONDS": (settings.TIME_SLICE_SECONDS, 0.1, 3600),
        "DOTDO_POLL_SECONDS": (settings.POLL_SECONDS, 0.01, 60),
        "DOTDO_MAX_CRASHES": (settings.MAX_CRASHES, 1, 100),
        "DOTDO_BATCH_RATE": (settings.BATCH_RATE, 0.1, 1_000),
    }
    for name, (value, least, most) in limits.items():
        if not least <= value <= most:
            yield Error(f"{name}={value:g} is out of range.", hint=f"Use {least:g} to {most:g}.", id="dotdo.E020")
    if settings.Q_CLUSTER.get("broker_class") != BROKER or settings.Q_CLUSTER.get("scheduler") is not False:
        hint = f"Keep broker_class={BROKER!r} and scheduler=False: the steps in the database are the queue."
        yield Error("Q_CLUSTER does not use the broker of dotdo.", hint=hint, id="dotdo.E021")


def _address() -> Iterator[CheckMessage]:
    if not re.fullmatch(r"https?://[^\s/?#@]+", settings.PUBLIC_URL):
        hint = "Give scheme and host, and the port if there is one: https://dotdo.example.com"
        yield Error(f"DOTDO_PUBLIC_URL={settings.PUBLIC_URL!r} is no address.", hint=hint, id="dotdo.E023")


def _retention() -> Iterator[CheckMessage]:
    for name, days, least in (
        ("DOTDO_RETENTION_DAYS", settings.RETENTION_DAYS, 1),
        ("DOTDO_EVENT_RETENTION_DAYS", settings.EVENT_RETENTION_DAYS, SHORTEST_MEMORY_DAYS),
    ):
        if days is not None and not least <= days <= LONGEST_KEPT_DAYS:
            hint = f"Use {least} to {LONGEST_KEPT_DAYS}, or leave it empty: for ever."
            yield Error(f"{name}={days} is out of range.", hint=hint, id="dotdo.E060")
    folder = settings.RETENTION_DIR
    there = next(path for path in (folder, *folder.parents) if path.exists())
    if settings.RETENTION_EXPORT and not (there.is_dir() and os.access(there, os.W_OK)):
        hint = "Runs are not deleted before they are written there. Make the folder, or set DOTDO_RETENTION_DIR."
        yield checks.Warning(f"{folder} cannot be written to.", hint=hint, id="dotdo.W061")


def _outgoing() -> Iterator[CheckMessage]:
    hint = "List host:port, address:port or networks, separated by commas: 127.0.0.1:8025,10.0.0.0/8,crm.internal:443"
    for entry in settings.OUTGOING_ALLOW:
        if not _is_destination(entry):
            yield Error(f"DOTDO_OUTGOING_ALLOW: {entry!r} is no destination.", hint=hint, id="dotdo.E030")
        elif entry in {"0.0.0.0/0", "::/0"}:
            text = "DOTDO_OUTGOING_ALLOW lets actions reach every internal address."
            yield checks.Warning(text, hint="Name only the networks that they need.", id="dotdo.W031")


def _is_destination(entry: str) -> bool:
    try:
        ipaddress.ip_network(entry, strict=False)
    except ValueError:
        host, _, port = entry.rpartition(":") if re.search(r":\d+$", entry) else (entry, "", "1")
        return 0 < int(port) <= LAST_PORT and re.fullmatch(r"[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]", host) is not None
    return True


def _exposure() -> Iterator[CheckMessage]:
    if "*" in settings.ALLOWED_HOSTS:
        hint = "Name the hosts in DOTDO_ALLOWED_HOSTS, as people type them."
        yield Error("DOTDO_ALLOWED_HOSTS allows every host.", hint=hint, id="dotdo.E040")
    if settings.HTTPS and settings.DEVELOPMENT:
        hint = "Set DOTDO_DEVELOPMENT=0: the demo's stand-ins do not belong on a public server."
        yield checks.Warning("Development mode is on behind HTTPS.", hint=hint, id="dotdo.W041")
