"""The workflows of the chaos runs: each is here for one construct, and has one right output for its input."""

HEAD = "document: {{dsl: 1.0.3, namespace: chaos, name: {name}, version: 1.0.0{more}}}\n"
MORE = {"chaos-tick": ", metadata: {dotdo: {missed: all}}"}
DOCUMENTS = {
    "chaos-short": """
do:
  - one: {call: chaos-write, with: {name: one}}
  - two: {call: chaos-write, with: {name: two}}
output: {as: {n: "${ $workflow.input.n }"}}
""",
    "chaos-compute": """
do:
  - one: {call: chaos-add, with: {n: "${ .n }"}}
  - two: {call: chaos-add, with: {n: "${ .n }"}}
  - three: {call: chaos-add, with: {n: "${ .n }"}}
  - four: {call: chaos-add, with: {n: "${ .n }"}}
  - five: {call: chaos-add, with: {n: "${ .n }"}}
output: {as: {n: "${ .n }"}}
""",
    "chaos-order": """
do:
  - record: {call: chaos-write, with: {name: record}}
  - charge: {call: chaos-http, with: {place: charge}}
  - breathe: {wait: {milliseconds: 150}}
  - paid: {listen: {to: {one: {with: {type: chaos.paid}}}}}
  - book: {call: chaos-write, with: {name: "${ .[0].word }"}}
output: {as: {n: "${ $workflow.input.n }", name: "${ .name }"}}
""",
    "chaos-hook": """
do:
  - ask: {call: chaos-http, with: {place: hook, callback: "${ $runtime.metadata.webhookUrl }"}}
  - answer: {listen: {to: {one: {with: {type: dev.dotdo.webhook.received.v1}}}}}
  - book: {call: chaos-write, with: {name: "${ .[0].word }"}}
output: {as: {n: "${ $workflow.input.n }", name: "${ .name }"}}
""",
    "chaos-retry": """
do:
  - flaky: {call: chaos-write, with: {name: flaky, fail: "${ .fail }"}}
  - call: {call: chaos-call, with: {place: call}}
output: {as: {n: "${ $workflow.input.n }"}}
""",
    "chaos-catch": """
do:
  - again:
      try:
        - out: {call: chaos-call, with: {place: out}}
        - count: {call: datastore.incr, with: {namespace: tries, key: "${ $workflow.id }"}}
        - enough:
            if: .value < 2
            raise: {error: {type: "https://example.com/errors/busy", status: 503}}
      catch:
        retry: {delay: {milliseconds: 50}, limit: {attempt: {count: 3}}}
  - refused:
      try:
        - never: {call: chaos-refuse, with: {name: never}}
      catch:
        do: [{note: {set: {caught: "${ $error.title }"}}}]
output: {as: {n: "${ $workflow.input.n }", caught: "${ .caught }"}}
""",
    "chaos-fork": """
do:
  - both:
      fork:
        branches:
          - left:
              do:
                - write: {call: chaos-write, with: {name: left}}
                - breathe: {wait: {milliseconds: 50}}
                - value: {set: {v: "${ $workflow.input.n + 1 }"}}
          - right:
              do:
                - call: {call: chaos-call, with: {place: right}}
                - value: {set: {v: "${ $workflow.input.n + 2 }"}}
          - third: {call: datastore.incr, with: {namespace: chaos, key: forks}, output: {as: "{v: 0}"}}
  - sum: {set: {sum: "${ map(.v) | add }"}}
""",
    "chaos-race": """
do:
  - first:
      fork:
        compete: true
        branches:
          - quick:
              do:
                - rest: {wait: {milliseconds: 30}}
                - write: {call: chaos-write, with: {name: winner}}
          - quicker:
              do:
                - rest: {wait: {milliseconds: 40}}
                - write: {call: chaos-write, with: {name: winner}}
          - never: {wait: {hours: 5}}
""",
    "chaos-child": """
do:
  - write: {call: chaos-write, with: {name: child}}
output: {as: {n: "${ $workflow.input.n * 2 }"}}
""",
    "chaos-parent": """
do:
  - before: {call: chaos-write, with: {name: before}}
  - below:
      run: {workflow: {namespace: chaos, name: chaos-child, version: latest, input: {n: "${ $workflow.input.n }"}}}
""",
    "chaos-map": """
do:
  - all:
      call: map
      with: {items: "${ [range(.items) | {n: .}] }", workflow: {name: chaos-child}, maxConcurrency: 4}
""",
    "chaos-saga": """
do:
  - all:
      metadata: {dotdo: {saga: true}}
      try:
        - one: {call: chaos-write, with: {name: one}}
        - two: {call: chaos-call, with: {place: two}}
        - three: {call: chaos-write, with: {name: three}}
        - ship:
            if: $workflow.input.fail
            raise: {error: {type: "https://example.com/errors/address", status: 422}}
        - done: {set: {state: shipped}}
      catch:
        do: [{say: {set: {state: undone}}}]
""",
    "chaos-approval": """
do:
  - ask: {call: approval, with: {title: "${ .word }"}}
  - book: {call: chaos-write, with: {name: "${ .decision }"}}
""",
    "chaos-loop": """
do:
  - each:
      for: {each: item, in: "${ [range($workflow.input.items)] }"}
      do:
        - count: {call: datastore.incr, with: {namespace: chaos, key: loops}}
  - again: {set: {turn: 1}}
  - turn: {set: {turn: "${ .turn + 1 }"}}
  - enough: {switch: [more: {when: .turn < 4, then: turn}]}
output: {as: {n: "${ $workflow.input.n }", turn: "${ .turn }"}}
""",
    "chaos-late": """
do:
  - patient:
      try:
        - long:
            timeout: {after: {milliseconds: 300}}
            do:
              - rest: {wait: {hours: 5}}
      catch:
        errors: {with: {status: 408}}
        do: [{note: {set: {late: true}}}]
  - write: {call: chaos-write, with: {name: late}}
output: {as: {n: "${ $workflow.input.n }"}}
""",
    "chaos-mail": """
do:
  - mail: {call: chaos-send, with: {email: ada@example.com, n: "${ .n }"}}
output: {as: {n: "${ $workflow.input.n }"}}
""",
    "chaos-emit": """
do:
  - tell: {emit: {event: {with: {type: chaos.emitted, source: /chaos, data: {n: "${ .n }"}}}}}
output: {as: {n: "${ $workflow.input.n }"}}
""",
    "chaos-on": """
schedule: {on: {one: {with: {type: chaos.emitted}}}}
do:
  - write: {call: chaos-write, with: {name: emitted}}
""",
    "chaos-tick": """
schedule: {every: {seconds: 1}}
do:
  - write: {call: chaos-write, with: {name: tick}}
""",
    "chaos-doomed": """
do:
  - before: {call: chaos-write, with: {name: before}}
  - outside: {call: chaos-call, with: {place: doomed}}
  - never: {call: chaos-refuse, with: {name: never}}
  - after: {call: chaos-write, with: {name: after}}
""",
    "chaos-slow": """
do:
  - before: {call: chaos-write, with: {name: before}}
  - rest: {wait: "${ $workflow.input.rest }"}
  - after: {call: chaos-write, with: {name: after}}
output: {as: {n: "${ $workflow.input.n }"}}
""",
}


def source(name: str) -> str:
    """Return the whole document of a workflow."""
    return HEAD.format(name=name, more=MORE.get(name, "")) + DOCUMENTS[name]


def http_action(sink: str) -> dict[str, object]:
    """Return the action without code that asks the sink."""
    return {
        "name": "chaos-http",
        "kind": "http",
        "input_schema": {"place": "string", "callback?": "string"},
        "config": {"method": "POST", "url": sink, "errors": {"409": {"code": "stale", "retryable": False}}},
        "retry": {"max_attempts": 30, "initial": "100ms", "max": "1s"},
    }


def mail_action() -> dict[str, object]:
    """Return the action without code that sends a mail."""
    return {
        "name": "chaos-send",
        "kind": "email",
        "input_schema": {"email": "email", "n": "integer"},
        "config": {"to": "{{ email }}", "subject": "Number {{ n }}", "text": "Hello {{ n }}\n"},
        "retry": {"max_attempts": 30, "initial": "100ms", "max": "1s"},
    }
