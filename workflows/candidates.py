"""For whom a broadcast event may be meant: an index narrows it down, each worker decides whether a filter fits."""

import json
import uuid
from collections.abc import Mapping
from typing import Any

from dotdo_site.lib import canonical
from workflows import expressions
from workflows.sql import Statement

# A loose index scan: one probe for each expression in use, however many subscriptions use it.
_EXPRESSIONS = Statement(
    """
    WITH RECURSIVE used AS (
        SELECT kind.type, first.digest, first.correlate_from
        FROM (VALUES (:type::text), ('')) AS kind (type) CROSS JOIN LATERAL (
            SELECT md5(correlate_from) AS digest, correlate_from FROM subscription
            WHERE type = kind.type AND correlate_from <> '' ORDER BY md5(correlate_from) LIMIT 1) first
        UNION ALL
        SELECT used.type, next.digest, next.correlate_from FROM used CROSS JOIN LATERAL (
            SELECT md5(correlate_from) AS digest, correlate_from FROM subscription
            WHERE type = used.type AND correlate_from <> '' AND md5(correlate_from) > used.digest
            ORDER BY md5(correlate_from) LIMIT 1) next)
    SELECT DISTINCT correlate_from FROM used
    """
)
_CANDIDATES = Statement(
    """
    SELECT step_id, schedule_id FROM subscription
    WHERE type IN (:type, '') AND source IN (:source, '') AND correlate_hash = ANY(:hashes::text[])
        AND (correlate_from = '' OR (correlate_from, correlate_hash) IN (
            SELECT * FROM unnest(:expressions::text[], :hashes::text[])))
    """
)


def of(event: Mapping[str, Any]) -> tuple[list[uuid.UUID], list[uuid.UUID]]:
    """Return the steps and the schedules with a filter that the event may fit."""
    pinned = [(text, _digest(text, event)) for (text,) in _EXPRESSIONS.rows({"type": event["type"]})]
    found = _CANDIDATES.rows(
        {
            "type": event["type"],
            "source": event["source"],
            "expressions": ["", *(text for text, digest in pinned if digest)],
            "hashes": ["", *(digest for _, digest in pinned if digest)],
        }
    )
    return sorted({step for step, _ in found if step}), sorted({schedule for _, schedule in found if schedule})


def _digest(expressions_text: str, event: Mapping[str, Any]) -> str:
    """Return the digest of what the pinned expressions give for the event; nothing when one of them fails."""
    try:
        return canonical.digest([expressions.evaluate(text, event, {}) for text in json.loads(expressions_text)])
    except expressions.ExpressionError:
        return ""
