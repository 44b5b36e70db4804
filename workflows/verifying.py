"""Verify the audit trail: the links, the ends that the runs know, the seals, the tombstones, a copy of the seals."""

import uuid
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.db import DataError

from audit import signing, verify_seals
from audit.models import AuditEvent, Seal
from audit.verify import Verified, verify
from audit.verify_anchor import Anchored, anchored
from audit.walking import Broken
from workflows import queries

MOST_CHAINS, MOST_LINKS = 500, 50_000  # that are verified while somebody waits


@dataclass(frozen=True, slots=True)
class Report:
    """What was read, everything that does not fit, in words, and the copy of the seals that it was compared with."""

    events: int
    chains: int
    seals: int
    wrong: list[str]
    anchor: Anchored | None = None
    trusted: frozenset[str] = frozenset()


class TooLong(Exception):
    """The run has too many links to be verified at once: verify the whole trail instead."""

    def __init__(self) -> None:
        super().__init__(self.__doc__)


def examine(
    chain: uuid.UUID | None = None,
    *,
    trusted: Collection[str] = (),
    anchor: Path | None = None,
    with_anchor: bool = True,
    processes: int | None = None,
    told: Callable[[int, int], None] | None = None,
) -> Report:
    """Verify one chain, or everything. Without `trusted`, the last seal needs the signature of this server's key.

    `anchor` names a copy of the seals, otherwise it is that of the settings; for `told` see `audit.verify`.
    """
    keys = set(trusted) or {key for key in (signing.public_key(),) if key}
    result = verify(chain, processes=processes, told=told)
    wrong = [str(found) for found in result.broken]
    wrong += _told("ends of chains", _cut(result, chain))
    wrong += _told("seals", verify_seals.faults(keys, chain))
    if chain is None:
        wrong += _told("tombstones", verify_seals.tombstone_faults())
    compared = _anchored(anchor) if with_anchor else None
    wrong += [str(fault) for fault in compared.faults] if compared else []
    return Report(result.events, result.chains, Seal.objects.count(), wrong, compared, frozenset(keys))


def examine_run(run: uuid.UUID) -> Report:
    """Verify the chains that have events of a run. Raises TooLong."""
    links = AuditEvent.objects.filter(run=run).order_by("id").values_list("chain", flat=True)[: MOST_LINKS + 1]
    found = list(links)
    names = sorted(set(found))
    if len(names) > MOST_CHAINS or len(found) > MOST_LINKS:
        raise TooLong
    return _joined([_of_chain(name) for name in names])


def examine_chain(chain: uuid.UUID) -> Report:
    """Verify one chain while somebody waits. Raises TooLong."""
    last = AuditEvent.objects.filter(chain=chain).order_by("-seq").values_list("seq", flat=True).first()
    if last is not None and last > MOST_LINKS:
        raise TooLong
    return _of_chain(chain)


def _of_chain(chain: uuid.UUID) -> Report:
    """Return what a chain is by itself, by its end and by the heads that seals know: not whether the seals fit."""
    result = verify(chain)
    wrong = [str(found) for found in result.broken] + _told("ends of chains", _cut(result, chain))
    return Report(result.events, result.chains, 0, wrong)


def _joined(reports: list[Report]) -> Report:
    wrong = [text for report in reports for text in report.wrong]
    return Report(sum(each.events for each in reports), sum(each.chains for each in reports), 0, wrong)


def _told(what: str, found: Iterable[object]) -> list[str]:
    """Return the findings of one look; rows that nobody could have written end it, and are one themselves."""
    told = []
    try:
        for each in found:
            told.append(str(each))
    except (ValueError, TypeError, KeyError, OverflowError, DataError) as error:
        told.append(f"{what}: they cannot be read: {type(error).__name__}: {error}")
    return told


def _cut(result: Verified, chain: uuid.UUID | None) -> Iterator[Broken]:
    """Yield the chains that do not end with the link that their branch knows, or are of another run."""
    known = {item.chain for item in result.broken}
    for found, seq, why in queries.cut_chains(chain):
        if found not in known:
            yield Broken(found, seq, why)


def _anchored(named: Path | None) -> Anchored | None:
    path = named or settings.AUDIT_ANCHOR_FILE
    return anchored(Path(path), named=named is not None) if path else None
