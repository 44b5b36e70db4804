"""What the cluster and people leave beside runs: counts for charts, groups that are settled, messages, batches, fires.

`pages_rows` makes them, in the same manner: an expression for each column, drawn from the numbers n and s.
"""

from collections.abc import Mapping

from bench.pages_sizes import ACTIONS, FLOWS

SETTLED, TOLD, MUTED, BATCHES, WRITES = 60, 20_000, 20, 60, 300
BEGAN = "(SELECT began FROM bench.base)"
RENEWED = ("rollup", "gauge")  # they end now, so that charts are full whenever pages are measured
IN_SPAN = "to_timestamp(floor(extract(epoch FROM now()) / span) * span) - n * span * interval '1 s'"
SETTLED_ID = "bench.id('2025-01-01', 'group' || n)"

# All runs, then each workflow, then each action; so many spans back as are kept.
ROLLUPS = {
    "subject": "CASE WHEN s = 0 THEN 'runs' WHEN s <= {flows} THEN 'workflow' ELSE 'action' END",
    "name": "CASE WHEN s = 0 THEN '' WHEN s <= {flows} THEN 'bench-flow-' || s - 1 "
    "ELSE 'bench-act-' || s - {flows} - 1 END",
    "span": "span",
    "begins_at": IN_SPAN,
    "outcome": "outcome",
    "count": "CASE outcome WHEN 'succeeded' THEN 52 * (1 + n % 3) ELSE 1 + n % 3 END",
    "durations": "array_fill((1 + n % 3)::bigint, ARRAY[CASE outcome WHEN 'succeeded' THEN 52 ELSE 1 END])",
}
ROLLUPS_OF = f"""(VALUES (300, 864), (3600, 1560), (86400, 90)) k (span, spans), generate_series(0, spans - 1) n,
    generate_series(0, {FLOWS + ACTIONS}) s, unnest(ARRAY['succeeded', 'failed', 'cancelled']) outcome"""
ROLLUP_PLACE = {
    "id": "n",
    "event": "(SELECT coalesce(max(id), 0) FROM audit_event)",
    "counted_at": "now()",
}
GAUGES = {
    "name": "g.name",
    "queue": "g.queue",
    "span": "span",
    "begins_at": IN_SPAN,
    "samples": "1",
    "total": "n % 100",
    "highest": "n % 100",
}
GAUGES_OF = """(VALUES (60, 4320), (3600, 1560)) k (span, spans), generate_series(0, spans - 1) n,
    (VALUES ('running', ''), ('pending', ''), ('waiting', ''), ('retrying', ''), ('failed', ''), ('due', 'default'),
        ('oldest', 'default')) g (name, queue)"""
# Those with open runs are made by the chore, from the runs themselves.
GROUPS = {
    "id": SETTLED_ID,
    "fingerprint": "md5('group' || n)",
    "kind": "'workflow'",
    "name": "'bench-flow-' || n % {flows}",
    "step": "'b'",
    "code": "'gone-' || n",
    "message": "'The part <id> is gone'",
    "state": "CASE n % 2 WHEN 0 THEN 'resolved' ELSE 'ignored' END",
    "count": "270",
    "first_seen_at": f"{BEGAN} - interval '90 days'",
    "last_seen_at": f"{BEGAN} - n * interval '1 hour'",
    "first_version": "'1.0.0'",
    "last_version": "'1.0.0'",
    "settled_at": f"{BEGAN} - n * interval '30 minutes'",
    "settled_by": "'user:someone1'",
    "settled_because": "'the part is back'",
    "ignored_until": f"CASE n % 2 WHEN 1 THEN {BEGAN} + interval '300 days' END",
}
GROUP_COUNTS = {
    "group_id": SETTLED_ID,
    "begins_at": f"date_trunc('hour', {BEGAN}, 'UTC') - s * interval '8 hours'",
    "version": "'1.0.0'",
    "count": "1",
}
NOTICES = {
    "id": "n",
    "kind": "'run_failed'",
    "definition": "'workflow:bench-flow-' || n % {flows}",
    "run": "bench.run(n)",
    "episode": "n",
    "state": "'told'",
    "created_at": "bench.at(n)",
}
NOTIFICATIONS = {
    "id": "bench.id(bench.at(n), 'notification' || n)",
    "rule_id": "(SELECT id FROM notification_rule ORDER BY name LIMIT 1)",
    "channel": "'email'",
    "address": "'someone' || n % 20 || '@example.com'",
    "kind": "'run_failed'",
    "definition": "'workflow:bench-flow-' || n % {flows}",
    "state": "CASE WHEN n % 100 = 0 THEN 'dead' ELSE 'sent' END",
    "due_at": "bench.at(n)",
    "attempts": "1",
    "error": "CASE WHEN n % 100 = 0 THEN 'nobody has this address' ELSE '' END",
    "created_at": "bench.at(n)",
    "ended_at": "bench.at(n) + interval '1 s'",
}
NOTIFICATION_ITEMS = {
    "notification_id": NOTIFICATIONS["id"],
    "notice_id": "n",
    "recipient": "'someone' || n % 20 || '@example.com'",
}
MUTES = {
    "id": "bench.id('2025-01-01', 'mute' || n)",
    "definition": "'workflow:bench-flow-' || n",
    "until": f"{BEGAN} + interval '300 days'",
    "by": "'user:someone1'",
    "reason": "'being repaired'",
    "created_at": BEGAN,
}
ENDED_BATCHES = {
    "id": f"bench.id({BEGAN} - n * interval '1 day', 'batch' || n)",
    "verb": "'resolve'",
    "state": "CASE n % 5 WHEN 0 THEN 'stopped' ELSE 'finished' END",
    "chosen": """'{{"status": "failed"}}'""",
    "as_of": f"{BEGAN} - n * interval '1 day'",
    "shown": "100",
    "total": "100",
    "done": "90",
    "skipped": "CASE n % 5 WHEN 0 THEN 0 ELSE 10 END",
    "rate": "50",
    "due_at": f"{BEGAN} - n * interval '1 day'",
    "actor": "'user:someone1'",
    "reason": "'settled by telephone'",
    "created_at": f"{BEGAN} - n * interval '1 day'",
    "ended_at": f"{BEGAN} - n * interval '1 day' + interval '1 minute'",
}
FIRES = {
    "schedule_id": "(SELECT ids[1 + n % array_length(ids, 1)] FROM (SELECT array_agg(id ORDER BY id) ids "
    "FROM schedule) all_of_them)",
    "nominal_at": "bench.at(n)",
    "run_id": "bench.run(n)",
    "created_at": "bench.at(n)",
}
ENTRY_VERSIONS = {
    "namespace": "(ARRAY['default', 'customers', 'orders'])[1 + n % 3]",
    "key": "'usr_' || n",
    "version": "s",
    "value": "jsonb_build_object('status', 'active', 'orders', n + s)",
    "written_at": "bench.at(n)",
    "writer": "'user:someone' || s % 20",
}
ANSWERS = {
    "chain": "bench.id(bench.at(n), 'branch' || n)",
    "seq": "100",
    "run": "bench.run(n)",
    "kind": "'approval.answered'",
    "actor": "'user:someone' || n % 20",
    "reason": "'it is in order'",
    "at": "bench.at(n) + interval '9 s'",
    "data": """'{{"step":"/do/2/c","name":"c","decision":"approved","by":"someone1"}}'""",
    "hash": r"'\x00'",
}


def tables(runs: int) -> tuple[tuple[str, Mapping[str, str], str], ...]:
    """Return what is filled after the tables of runs: name, columns, and the numbers that rows are drawn from.

    Of a table that is filled in parts the name goes on after a colon.
    """
    told = f"generate_series({max(1, runs - TOLD + 1)}, {runs}) n"
    recent = f"generate_series({runs - runs // 5 + 1}, {runs}) n"
    return (
        ("rollup", ROLLUPS, ROLLUPS_OF),
        ("rollup_place", ROLLUP_PLACE, "generate_series(1, 1) n"),
        ("gauge", GAUGES, GAUGES_OF),
        ("failure_group", GROUPS, f"generate_series(1, {SETTLED}) n"),
        ("failure_count", GROUP_COUNTS, f"generate_series(1, {SETTLED}) n, generate_series(0, 269) s"),
        ("notice", NOTICES, told),
        ("notification", NOTIFICATIONS, told),
        ("notification_item", NOTIFICATION_ITEMS, told),
        ("notification_mute", MUTES, f"generate_series(1, {MUTED}) n"),
        ("batch", ENDED_BATCHES, f"generate_series(1, {BATCHES}) n"),
        ("schedule_fire", FIRES, told),
        ("audit_event: answers", ANSWERS, told),
        (
            "entry_version",
            ENTRY_VERSIONS,
            f"{recent}, generate_series(1, CASE n WHEN {runs} THEN {WRITES} ELSE 1 END) s",
        ),
    )
