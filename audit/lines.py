"""Rows of the trail as lines of JSON, as exports and anchors have them and `audit/offline.py` reads them."""

import json
from collections.abc import Mapping
from typing import Any

from audit.formulas import seal_text, stamp
from audit.models import Seal, Tombstone


def line(value: Mapping[str, Any]) -> str:
    """Return one line, without its end."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=True)


def of_seal(seal: Seal) -> dict[str, Any]:
    """Return a seal."""
    return {
        "type": "seal",
        "number": seal.number,
        "at": stamp(seal.at),
        "count": seal.count,
        "root": bytes(seal.root).hex(),
        "reach": seal.reach,
        "horizon": seal.horizon,
        "previous": bytes(seal.previous).hex(),
        "key": seal.key,
        "hash": bytes(seal.hash).hex(),
        "signature": bytes(seal.signature).hex(),
    }


def text_of(seal: Seal) -> str:
    """Return what a seal's row says, as it is hashed and signed."""
    return seal_text(
        seal.number,
        seal.at,
        seal.count,
        bytes(seal.root),
        seal.reach,
        seal.horizon,
        bytes(seal.previous),
        seal.key,
    )


def of_tombstone(tombstone: Tombstone) -> dict[str, Any]:
    """Return what is left of a pruned chain."""
    return {
        "type": "tombstone",
        "chain": str(tombstone.chain),
        "seq": tombstone.seq,
        "hash": bytes(tombstone.hash).hex(),
        "first_at": stamp(tombstone.first_at),
        "last_at": stamp(tombstone.last_at),
        "at": stamp(tombstone.at),
        "batch": str(tombstone.batch),
        "export": tombstone.export,
    }
