# ruff: noqa: E501
"""Emitting, listening, schedules."""

from typing import Any

import pytest

from tests.unit.language.support import document, problems, texts

PAID = "{with: {type: com.example.paid}}"


@pytest.mark.parametrize(
    "tasks",
    [
        "- a: {emit: {event: {with: {type: com.example.sent}}}}",
        "- a: {emit: {event: {with: {type: '${ .kind }', source: /here, id: x, time: '2030-01-01T00:00:00Z', subject: '${ .id }', datacontenttype: application/json, dataschema: 'https://e.com/s', data: {x: '${ .y }'}, orderid: '7'}}}}",
        f"- a: {{listen: {{to: {{one: {PAID}}}}}}}",
        f"- a: {{listen: {{to: {{all: [{PAID}, {PAID}]}}, read: envelope}}}}",
        "- a: {listen: {to: {any: []}}}",
        f"- a: {{listen: {{to: {{any: [{PAID}], until: length > 2}}, read: raw}}}}",
        f"- a: {{listen: {{to: {{any: [], until: {{one: {PAID}}}}}}}}}",
        "- a: {listen: {to: {one: {with: {type: 'com\\.example\\..*', subject: '${ . == $workflow.id }', data: {amount: 5}, orderid: 7}, correlate: {order: {from: .orderid, expect: '${ .order }'}, who: {from: '${ .data.user }'}}}}}}",
        f"- a: {{listen: {{to: {{any: [{PAID}], until: .x}}}}, foreach: {{item: event, at: n, do: [{{b: {{set: '${{ [$event, $n] }}'}}}}], output: {{as: '[$n, .]'}}, export: {{as: '$context + [$output, $event]'}}}}}}",
        f"- a: {{listen: {{to: {{one: {PAID}}}}}, foreach: {{}}, timeout: {{after: P1D}}}}",
    ],
)  # fmt: skip
def test_events_that_are_right(tasks: str) -> None:
    assert texts(tasks) == []


@pytest.mark.parametrize(
    ("tasks", "expected"),
    [
        ("- a: {emit: {}}", "/do/0/a/emit: `event` is missing"),
        ("- a: {emit: {event: {wiht: {type: x}}}}", "/do/0/a/emit/event/wiht: `wiht` is not a key of this object. Did you mean `with`?"),
        ("- a: {emit: {event: {with: {}}}}", "/do/0/a/emit/event/with: `type` is missing. Name what happened, such as com.example.order.placed.v1."),
        ("- a: {emit: {event: {with: {type: ''}}}}", "/do/0/a/emit/event/with/type: `type` must be a text that is not empty"),
        ("- a: {emit: {event: {with: {type: 5}}}}", "/do/0/a/emit/event/with/type: `type` must be a text that is not empty; found 5"),
        ("- a: {emit: {event: {with: {type: x, specversion: '1.0'}}}}", "/do/0/a/emit/event/with/specversion: `specversion` is always 1.0 here. Remove it."),
        ("- a: {emit: {event: {with: {type: x, Subject: y}}}}", "/do/0/a/emit/event/with/Subject: `Subject` is not an attribute of an event. Did you mean `subject`?"),
        ("- a: {emit: {event: {with: {type: x, order_id: y}}}}", "/do/0/a/emit/event/with/order_id: `order_id` is not an attribute of an event. Extension attributes have 1 to 20 lower-case letters and digits."),
        ("- a: {emit: {event: {with: {type: x, time: noon}}}}", '/do/0/a/emit/event/with/time: this is not a moment; found "noon"; expected such as 2030-01-31T08:00:00Z'),
        ("- a: {emit: {event: {with: {type: x, time: '2030-01-01T00:00:00'}}}}", "/do/0/a/emit/event/with/time: this is not a moment"),
        ("- a: {emit: {event: {with: {type: x, data: {a: '${ 1 + }'}}}}}", "/do/0/a/emit/event/with/data/a: the expression is wrong"),
        ("- a: {emit: {event: {with: {type: x, data: '${ $secrets.x }'}}}}", "/do/0/a/emit/event/with/data: the expression is wrong: $secrets is not defined"),
        ("- a: {listen: {}}", "/do/0/a/listen: `to` is missing"),
        ("- a: {listen: {to: {}}}", "/do/0/a/listen/to: this needs exactly one of `one`, `all`, `any`"),
        (f"- a: {{listen: {{to: {{one: {PAID}, all: [{PAID}]}}}}}}", "/do/0/a/listen/to: this needs exactly one of `one`, `all`, `any`"),
        ("- a: {listen: {to: {al: []}}}", "/do/0/a/listen/to/al: `al` is not a key of this object. Did you mean `all`?"),
        ("- a: {listen: {to: {all: []}}}", "/do/0/a/listen/to/all: `all` must be a list of filters; found a list"),
        ("- a: {listen: {to: {one: {}}}}", "/do/0/a/listen/to/one: `with` is missing"),
        ("- a: {listen: {to: {one: {with: {}}}}}", "/do/0/a/listen/to/one/with: `with` must be an object with at least one attribute"),
        ("- a: {listen: {to: {one: {with: {typ_e: x}}}}}", "/do/0/a/listen/to/one/with/typ_e: `typ_e` is not an attribute of an event. Did you mean `type`?"),
        ("- a: {listen: {to: {one: {with: {data: {x: '${ .y }'}}}}}}", "/do/0/a/listen/to/one/with/data: an expression cannot stand inside a value here. Write one condition"),
        ("- a: {listen: {to: {one: {with: {type: 'a(b'}}}}}", "/do/0/a/listen/to/one/with/type: the regular expression is wrong: missing )"),
        ("- a: {listen: {to: {one: {with: {type: 5}}}}}", "/do/0/a/listen/to/one/with/type: `type` of an event is always a text; found 5. Write a text"),
        ("- a: {listen: {to: {any: [{with: {subject: {a: 1}}}]}}}", "/do/0/a/listen/to/any/0/with/subject: `subject` of an event is always a text; found an object"),
        ("- a: {listen: {to: {one: {with: {specversion: 1.0}}}}}", "/do/0/a/listen/to/one/with/specversion: `specversion` of an event is always a text; found 1.0"),
        (f"- a: {{listen: {{to: {{one: {PAID}, until: .x}}}}}}", "/do/0/a/listen/to/until: `until` has an effect with `any` only. Remove it."),
        ("- a: {listen: {to: {any: [], until: {any: [], until: .x}}}}", "/do/0/a/listen/to/until/until: `until` is not a key of this object"),
        ("- a: {listen: {to: {any: [], until: 5}}}", "/do/0/a/listen/to/until: this must be an expression; found 5"),
        (f"- a: {{listen: {{to: {{one: {PAID}}}, read: body}}}}", '/do/0/a/listen/read: this is not one of the known words; found "body"; expected data or envelope or raw'),
        (f"- a: {{listen: {{to: {{one: {PAID}}}, raed: data}}}}", "/do/0/a/listen/raed: `raed` is not a key of this object. Did you mean `read`?"),
        ("- a: {listen: {to: {one: {with: {type: x}, correlate: {o: {}}}}}}", "/do/0/a/listen/to/one/correlate/o: `from` is missing"),
        ("- a: {listen: {to: {one: {with: {type: x}, correlate: {o: {from: $context.x}}}}}}", '/do/0/a/listen/to/one/correlate/o/from: the expression is wrong: $context is not defined (line 1, column 1); found "$context.x". No variables are available here.'),
        (f"- a: {{listen: {{to: {{one: {PAID}}}}}, foreach: {{item: event, output: {{as: $item}}}}}}", "/do/0/a/foreach/output/as: the expression is wrong: $item is not defined"),
        (f"- a: {{listen: {{to: {{one: {PAID}}}}}, foreach: {{item: a, at: a}}}}", "/do/0/a/foreach/at: `$a` is the other variable of this block"),
        (f"- a: {{listen: {{to: {{one: {PAID}}}}}, output: {{as: $item}}}}", "/do/0/a/output/as: the expression is wrong: $item is not defined"),
        (f"- a: {{listen: {{to: {{one: {PAID}}}, foreach: {{}}}}}}", "/do/0/a/listen/foreach: `foreach` is not a key of this object"),
        ("- a: {set: {}, foreach: {}}", "/do/0/a/foreach: `foreach` is not a key of this object"),
    ],
)  # fmt: skip
def test_events_that_are_wrong(tasks: str, expected: str) -> None:
    found = texts(tasks)
    assert len(found) == 1, found
    assert found[0].startswith(expected)


def test_a_regular_expression_that_is_too_long_would_never_match_and_is_refused() -> None:
    (found,) = texts(f"- a: {{listen: {{to: {{one: {{with: {{type: '{'a|' * 251}b'}}}}}}}}}}")
    assert "the regular expression has 503 characters; the limit is 500" in found


def scheduled(schedule: Any, **metadata: Any) -> list[str]:
    made = document("- a: {set: {}}", schedule=schedule)
    made["document"]["metadata"] = metadata
    return [str(problem) for problem in problems(made)]


@pytest.mark.parametrize(
    "schedule",
    [
        {"every": {"minutes": 5}},
        {"every": "PT1S"},
        {"after": "P1D"},
        {"cron": "0 2 * * *"},
        {"cron": "*/15 8-18 1,15 jan-jun MON-FRI"},
        {"cron": "0 0 * * 7"},
        {"on": {"one": {"with": {"type": "com.example.paid"}}}},
        {"on": {"all": [{"with": {"type": "a"}}, {"with": {"type": "b"}}]}, "read": "data"},
        {"on": {"any": []}, "read": "envelope"},
        {"on": {"one": {"with": {"data": "${ .amount > 5 }"}, "correlate": {"x": {"from": ".x", "expect": "y"}}}}},
    ],
)
def test_schedules_that_are_right(schedule: Any) -> None:
    assert scheduled(schedule) == []


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ({}, "/schedule: this needs exactly one of `every`, `cron`, `after`, `on`"),
        ({"every": "PT1M", "cron": "* * * * *"}, "/schedule: this needs exactly one of"),
        ({"evry": "PT1M"}, "/schedule/evry: `evry` is not a key of this object. Did you mean `every`?"),
        ({"every": "PT0.5S"}, '/schedule/every: this is too short; found "PT0.5S"; expected 1 s or more'),
        ({"every": "P1M"}, "/schedule/every: `P1M`: years and months have no fixed length"),
        ({"every": "${ .x }"}, "/schedule/every: `${ .x }` is not an ISO 8601 duration"),
        ({"after": {"seconds": 0}}, "/schedule/after: this is too short"),
        ({"cron": "0 2 * *"}, '/schedule/cron: a cron text has five fields; found "0 2 * *"; expected minute hour day-of-month month day-of-week'),
        ({"cron": "0 0 2 * * *"}, "/schedule/cron: a cron text has five fields"),
        ({"cron": 5}, "/schedule/cron: a cron text has five fields; found 5"),
        ({"cron": "60 2 * * *"}, '/schedule/cron: the minute is wrong; found "60"; expected 0 to 59, *, ranges, /steps'),
        ({"cron": "0 24 * * *"}, "/schedule/cron: the hour is wrong"),
        ({"cron": "0 0 0 * *"}, "/schedule/cron: the day of the month is wrong"),
        ({"cron": "0 0 * FOO *"}, '/schedule/cron: the month is wrong; found "FOO"; expected 1 to 12 or JAN to DEC'),
        ({"cron": "0 0 * * FRI-MON"}, "/schedule/cron: the day of the week is wrong"),
        ({"cron": "*/0 * * * *"}, "/schedule/cron: the minute is wrong"),
        ({"cron": "@daily"}, "/schedule/cron: a cron text has five fields"),
        ({"on": {"any": [], "until": ".x"}}, "/schedule/on/until: `until` is not a key of this object"),
        ({"on": {"one": {"with": {"subject": "${ $workflow.id }"}}}}, "/schedule/on/one/with/subject: the expression is wrong: $workflow is not defined"),
        ({"on": {"one": {"with": {"type": "x"}, "correlate": {"x": {"from": ".x"}}}}}, "/schedule/on/one/correlate/x: `expect` is missing"),
        ({"on": {"any": []}, "read": "all"}, "/schedule/read: this is not one of the known words"),
        ({"every": "PT1M", "read": "data"}, "/schedule/read: `read` has an effect with `on` only. Remove it."),
    ],
)  # fmt: skip
def test_schedules_that_are_wrong(schedule: Any, expected: str) -> None:
    found = scheduled(schedule)
    assert len(found) == 1, found
    assert found[0].startswith(expected)


def test_a_cron_text_is_also_judged_by_what_will_run_it() -> None:
    (found,) = scheduled({"cron": "0 0 31 2 *"})
    assert found == '/schedule/cron: the cron text is wrong: bad day-of-month; found "0 0 31 2 *"'


def test_a_schedule_has_a_time_zone_and_a_rule_for_what_was_missed() -> None:
    every = {"every": "PT1M"}
    assert scheduled(every, dotdo={"timezone": "Europe/Berlin", "missed": "all"}, timezone="UTC") == []
    assert scheduled(every, dotdo={"timezone": "Berlin"}) == [
        '/document/metadata/dotdo/timezone: this is not a time zone; found "Berlin"; expected a name such as Europe/Berlin'
    ]
    assert scheduled(every, timezone="../etc/passwd")[0].startswith(
        "/document/metadata/timezone: this is not a time zone"
    )
    assert scheduled(every, dotdo={"missed": "none"})[0].startswith(
        "/document/metadata/dotdo/missed: this is not one of"
    )
