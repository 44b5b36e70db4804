"""The first link of a chain, hashed by the database: the time in it is that of the row, and nobody asks for it first.

`audit.formulas.link_hash` says the same in Python, and a test compares the two.
"""

import uuid
from collections.abc import Mapping
from typing import Any

from audit.formulas import RUN
from audit.recording import KINDS, UnknownKind
from dotdo_site.lib import canonical

# `{at}` is a timestamptz, `{before}` and `{data}` are what `first_link` returned.
STAMP = """to_char({at} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')"""
HASH = """sha256(decode(repeat('00', 32), 'hex')
        || convert_to({before} || {stamp} || length({data}) || ':' || {data}, 'UTF8'))"""
_STAMP_LENGTH = len("2026-01-31T12:00:00.000000Z")


def first_link(chain: uuid.UUID, run: uuid.UUID, kind: str, actor: str, data: Mapping[str, Any]) -> tuple[str, str]:
    """Return what is hashed before the time of the link, and its data, hashed behind it. Raises UnknownKind."""
    if kind not in KINDS:
        raise UnknownKind(f"audit kind {kind!r} is not known: add it to audit.recording.KINDS")
    before = f"32:{chain.hex}1:0{len(kind)}:{kind}{len(actor)}:{actor}0:{_STAMP_LENGTH}:"
    return before, canonical.dumps({**data, RUN: str(run)})
