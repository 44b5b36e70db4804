# ruff: noqa: E501
"""Calls over HTTP, built-in functions, functions of `use`, secrets, what undoes a call, settings of dotdo."""

from typing import Any

import pytest

from tests.unit.language.support import document, problems, texts

GET = "call: http, with: {method: get, endpoint: 'https://example.com/pets'"
USE: dict[str, Any] = {
    "authentications": {
        "crm": {"basic": {"username": "dotdo", "password": '${ $secrets["crm-password"] }'}},
        "token": {"bearer": {"use": "crm-password"}},
    },
    "errors": {"late": {"type": "https://example.com/late", "status": 504, "title": "${ .title }"}},
    "functions": {
        "pay": {"call": "charge-card:1.2.0", "with": {"currency": "EUR", "customer_id": "${ .customer }"}},
        "pet": {"call": "http", "with": {"method": "get", "endpoint": "https://example.com/pets/{id}"}},
        "send-mail": {"call": "send-mail"},
    },
    "retries": {"gentle": {"delay": "PT1S", "limit": {"attempt": {"count": 2}}}},
    "secrets": ["crm-password"],
    "timeouts": {"short": {"after": "PT5S"}},
}


@pytest.mark.parametrize(
    "task",
    [
        f"{{{GET}}}}}",
        "{call: http, with: {method: POST, endpoint: 'https://example.com/pets/{id}?x={y}', headers: {A: '${ .a }'}, query: {q: x}, body: [1], output: response, redirect: true}}",
        "{call: http, with: {method: '${ .m }', endpoint: '${ .url }', headers: '${ .h }', query: '${ .q }', output: '${ .o }', redirect: '${ .r }'}}",
        "{call: http, with: {method: get, endpoint: {uri: 'http://e.com', authentication: {use: crm}}}}",
        "{call: http, with: {method: get, endpoint: {uri: '${ .u }', authentication: {bearer: {token: '${ $secrets[\"crm-password\"] }'}}}}}",
        "{call: openapi, with: {document: {endpoint: 'https://e.com/openapi.json', name: pets}, operationId: getPet, parameters: {id: 1}, authentication: {use: token}, output: content}}",
        "{call: openapi, with: {document: {endpoint: {uri: 'https://e.com'}}, operationId: '${ .op }', parameters: '${ . }'}}",
        "{call: pay, with: {amount: 5}}",
        "{call: pay, with: {amount: 5, currency: USD, customer_id: '${ $context.id }'}}",
        "{call: pet, with: {output: raw}, timeout: short}",
        "{call: send-mail, with: {token: '${ $secrets[\"crm-password\"] }'}}",
        "{raise: {error: late}}",
        "{call: map, with: {items: '${ .items }', workflow: {name: invoice}, maxConcurrency: 3, onError: collect}}",
        "{call: map, with: {items: [], workflow: {name: invoice, namespace: demo, version: 2.0.0}}}",
        "{call: map, with: {items: [], workflow: {name: '${ .w }'}}}",
        "{call: approval, with: {title: Really?, assignees: {users: [ada], groups: ['${ .g }']}, form: {type: object}, dueIn: P2D}}",
        "{call: approval, with: {title: '${ .t }', dueIn: {hours: 3}}}",
        "{call: wait-until, with: {at: '2030-01-01T00:00:00+01:00'}}",
        "{call: 'wait-until:1.0.0@default', with: {at: '${ .at }'}}",
        "{call: saga.compensate}",
        "{call: datastore.incr, with: {key: k, by: 0.5, initial: 0}}",
        "{call: datastore.cas, with: {key: k, value: null, version: 0}}",
        "{call: datastore.list, with: {prefix: a, limit: 1000, after: ab}}",
        "{call: datastore.delete, with: {key: k}}",
        "{call: book-car, with: {customer_id: x, amount: 1}}",
        "{call: send-mail, metadata: {dotdo: {undo: {call: cancel-car, with: {id: '${ $output.id }', customer_id: '${ $input.c }'}}, idempotencyKey: '${ .order }'}, note: free}}",
        "{call: book-boat, metadata: {dotdo: {undo: {call: send-mail}}}}",
        "{call: send-mail, metadata: {dotdo: {undo: {call: pay, with: {amount: 3}}, idempotencyKey: fixed}}}",
    ],
)  # fmt: skip
def test_calls_that_are_right(task: str) -> None:
    assert texts(f"- a: {task}", use=USE) == []


@pytest.mark.parametrize(
    ("task", "expected"),
    [
        ("{call: http, with: {method: get, endpoint: 'https://e.com', authentication: {use: crm}}}", ["/do/0/a/with/authentication: `authentication` belongs inside `endpoint`. Write `endpoint: {uri: …, authentication: …}`."]),
        ("{call: http, with: {endpont: 'https://e.com', method: get}}", ["/do/0/a/with/endpont: `endpont` is not a key of this object. Did you mean `endpoint`?"]),
        ("{call: http}", ["/do/0/a/with: `method` is missing", "/do/0/a/with: `endpoint` is missing"]),
        ("{call: http, with: {method: gte, endpoint: 'https://e.com'}}", ['/do/0/a/with/method: this is not a method; found "gte"; expected GET, HEAD, OPTIONS, POST, PUT, PATCH, DELETE. Did you mean `GET`?']),
        ("{call: http, with: {method: get, endpoint: 'ftp://e.com'}}", ['/do/0/a/with/endpoint: this is not an address; found "ftp://e.com"; expected http:// or https:// and a host']),
        ("{call: http, with: {method: get, endpoint: /pets}}", ["/do/0/a/with/endpoint: this is not an address"]),
        ("{call: http, with: {method: get, endpoint: {url: 'https://e.com'}}}", ["/do/0/a/with/endpoint/url: `url` is not a key of this object. Did you mean `uri`?"]),
        ("{call: http, with: {method: get, endpoint: 'https://e.com/{+path}'}}", ["/do/0/a/with/endpoint: `{+path}` cannot be filled in"]),
        ("{call: http, with: {method: get, endpoint: 'https://e.com/${ .id }'}}", ["/do/0/a/with/endpoint: only a whole text can be an expression"]),
        (f"{{{GET}, headers: {{a: 1}}}}}}", ["/do/0/a/with/headers/a: this must be a text; found 1. Quote it."]),
        (f"{{{GET}, query: x}}}}", ["/do/0/a/with/query: this must be an object of texts, or an expression in ${ }"]),
        (f"{{{GET}, output: contents}}}}", ['/do/0/a/with/output: this is not one of the known words; found "contents"; expected content or response or raw. Did you mean `content`?']),
        (f"{{{GET}, redirect: 1}}}}", ["/do/0/a/with/redirect: `redirect` must be true or false; found 1"]),
        ("{call: http, with: {method: get, endpoint: {uri: 'https://e.com', authentication: {use: crmm}}}}", ["/do/0/a/with/endpoint/authentication/use: `use.authentications` has no `crmm`. Did you mean `crm`?"]),
        ("{call: http, with: {method: get, endpoint: {uri: 'https://e.com', authentication: {oauth2: {}}}}}", ["/do/0/a/with/endpoint/authentication/oauth2: `oauth2` is not supported. Get a token with a call, and send it as `bearer`."]),
        ("{call: http, with: {method: get, endpoint: {uri: 'https://e.com', authentication: {basic: {username: x}}}}}", ["/do/0/a/with/endpoint/authentication/basic: `password` is missing"]),
        ("{call: http, with: {method: get, endpoint: {uri: 'https://e.com', authentication: {basic: {use: nope}}}}}", ['/do/0/a/with/endpoint/authentication/basic/use: this secret is not declared; found "nope". List it under `use.secrets`.']),
        ("{call: http, with: 5}", ["/do/0/a/with: `with` must be an object; found 5", "/do/0/a/with: `method` is missing", "/do/0/a/with: `endpoint` is missing"]),
        ("{call: openapi, with: {document: {}, operationId: x}}", ["/do/0/a/with/document: `endpoint` is missing"]),
        ("{call: openapi, with: {document: {endpoint: 'https://e.com/{v}'}, operationID: x}}", ["/do/0/a/with/operationID: `operationID` is not a key of this object. Did you mean `operationId`?", "/do/0/a/with/document/endpoint: `{v}` cannot be filled in"]),
        ("{call: htpp, with: {}}", ["/do/0/a/call: there is no action `htpp`. Did you mean `http`?"]),
        ("{call: asyncapi}", ["/do/0/a/call: `call: asyncapi` is not supported. Write a Python action and call it."]),
        ("{call: mcp}", ["/do/0/a/call: `call: mcp` is not supported"]),
        ("{call: pay}", ["/do/0/a/with/amount: the argument is required"]),
        ("{call: pay, with: {amount: 5, currency: GBP}}", ["/do/0/a/with/currency: the argument "]),
        ("{call: pai, with: {amount: 5}}", ["/do/0/a/call: there is no action `pai`. Did you mean `pay`?"]),
        ("{call: pet, with: {methd: post}}", ["/do/0/a/with/methd: `methd` is not a key of this object. Did you mean `method`?"]),
        ("{call: send-mail, with: {x: '${ $secrets.other }'}}", ['/do/0/a/with/x: the secret `other` is not declared; found "$secrets.other". List it under `use.secrets`.']),
        ("{call: send-mail, with: {x: '${ $secrets[\"crm-pasword\"] }'}}", ["/do/0/a/with/x: the secret `crm-pasword` is not declared"]),
        ("{call: send-mail, with: {x: '${ $secrets.crm-password }'}}", ['/do/0/a/with/x: the expression is wrong: password/0 is not defined (line 1, column 14); found "$secrets.crm-password". Write `$secrets["crm-password"]`.']),
        ("{call: http, with: {method: get, endpoint: {uri: 'https://e.com', authentication: {bearer: {token: '${ 1 + }'}}}}}", ["/do/0/a/with/endpoint/authentication/bearer/token: the expression is wrong"]),
        ("{set: {x: '${ $secrets.x }'}}", ['/do/0/a/set/x: the expression is wrong: $secrets is not defined (line 1, column 1); found "$secrets.x". Only the `with` of a call and an `authentication` can use `$secrets`.']),
        ("{call: send-mail, input: {from: '{x: $secrets.x}'}}", ["/do/0/a/input/from: the expression is wrong: $secrets is not defined"]),
        ("{call: map, with: {items: [], workflow: {name: invoise}}}", ["/do/0/a/with/workflow/name: there is no published workflow `invoise` in the namespace `demo`. Did you mean `invoice`?"]),
        ("{call: map, with: {items: [], workflow: {name: invoice, verison: 2.0.0}}}", ["/do/0/a/with/workflow/verison: the argument is not a field of this function. Did you mean `version`?"]),
        ("{call: map, with: {items: 5, workflow: {}, maxConcurrency: 0, onError: ignore}}", ["/do/0/a/with/items: the argument must be of type array", "/do/0/a/with/workflow/name: the argument is required", "/do/0/a/with/maxConcurrency: the argument must be 1 or more", "/do/0/a/with/onError: the argument must be one of fail, collect"]),
        ("{call: approval, with: {titel: x}}", ["/do/0/a/with/title: the argument is required", "/do/0/a/with/titel: the argument is not a field of this function. Did you mean `title`?"]),
        ("{call: approval, with: {title: x, dueIn: P1M}}", ["/do/0/a/with/dueIn: the argument is wrong: `P1M`: years and months"]),
        ("{call: approval, with: {title: x, form: {type: objekt}}}", ["/do/0/a/with/form/type: the schema is wrong"]),
        ("{call: approval, with: {title: x, assignees: {users: [5]}}}", ["/do/0/a/with/assignees/users/0: the argument must be of type string"]),
        ("{call: wait-until, with: {at: tomorrow}}", ["/do/0/a/with/at: the argument must be a moment with its zone"]),
        ("{call: wait-until, with: {at: '2030-01-01T00:00:00'}}", ["/do/0/a/with/at: the argument must be a moment with its zone"]),
        ("{call: saga.compensate, with: {x: 1}}", ["/do/0/a/with/x: the argument is not a field of this function"]),
        ("{call: datastore.cas, with: {key: k, value: 1, version: 1.5}}", ["/do/0/a/with/version: the argument must be of type integer"]),
        ("{call: datastore.list, with: {limit: 1001}}", ["/do/0/a/with/limit: the argument must be 1000 or less"]),
        ("{call: datastore.incr, with: {key: k, by: true}}", ["/do/0/a/with/by: the argument must be of type number"]),
        ("{call: book-boat}", ["/do/0/a/call: the action names `cancel-boat` as its undo, which is not published. Publish it, or say how to undo the call in `metadata.dotdo.undo`."]),
        ("{call: send-mail, metadata: {dotdo: {undo: {call: cancel-cra}}}}", ["/do/0/a/metadata/dotdo/undo/call: there is no action `cancel-cra`. Did you mean `cancel-car`?"]),
        ("{call: send-mail, metadata: {dotdo: {undo: {with: {}}}}}", ["/do/0/a/metadata/dotdo/undo: `call` is missing"]),
        ("{call: send-mail, metadata: {dotdo: {undo: {call: charge-card, with: {amount: '${ $nope }', customer_id: x}}}}}", ["/do/0/a/metadata/dotdo/undo/with/amount: the expression is wrong: $nope is not defined"]),
        ("{call: send-mail, metadata: {dotdo: {undo: {call: charge-card}}}}", ["/do/0/a/metadata/dotdo/undo/with/customer_id: the argument is required", "/do/0/a/metadata/dotdo/undo/with/amount: the argument is required"]),
        ("{set: {}, metadata: {dotdo: {undo: {call: send-mail}}}}", ["/do/0/a/metadata/dotdo/undo: `undo` has an effect on a call only. Move it to a call."]),
        ("{set: {}, metadata: {dotdo: {idempotencyKey: x}}}", ["/do/0/a/metadata/dotdo/idempotencyKey: `idempotencyKey` has an effect on a call only"]),
        ("{call: send-mail, metadata: {dotdo: {saga: true}}}", ["/do/0/a/metadata/dotdo/saga: `saga` has an effect on a task with tasks inside only. Move it to the task around"]),
        ("{do: [], metadata: {dotdo: {saga: 'yes'}}}", ["/do/0/a/metadata/dotdo/saga: `saga` must be true or false"]),
        ("{call: send-mail, metadata: {dotdo: {idempotencyKey: 5}}}", ["/do/0/a/metadata/dotdo/idempotencyKey: 5 is not an idempotency key"]),
        ("{call: send-mail, metadata: {dotdo: {idempotencykey: x}}}", ["/do/0/a/metadata/dotdo/idempotencykey: `idempotencykey` is not a key of this object. Did you mean `idempotencyKey`?"]),
        ("{raise: {error: lat}}", ["/do/0/a/raise/error: `use.errors` has no `lat`. Did you mean `late`?"]),
        ("{set: {}, timeout: shrt}", ["/do/0/a/timeout: `use.timeouts` has no `shrt`. Did you mean `short`?"]),
    ],
)  # fmt: skip
def test_calls_that_are_wrong(task: str, expected: list[str]) -> None:
    found = texts(f"- a: {task}", use=USE)
    assert len(found) == len(expected), found
    assert all(text.startswith(start) for text, start in zip(found, expected, strict=True)), found


@pytest.mark.parametrize(
    ("use", "expected"),
    [
        ({"retry": {}}, "/use/retry: `retry` is not a key of this object. Did you mean `retries`?"),
        ({"catalogs": {}}, "/use/catalogs: `catalogs` is not supported. Nothing is fetched: call the actions that are published here."),
        ({"extensions": []}, "/use/extensions: `extensions` is not supported. Write the tasks before and after where they belong."),
        ({"errors": []}, "/use/errors: `errors` must be an object of names; found a list"),
        ({"errors": {"x": {"type": "t"}}}, "/use/errors/x: `status` is missing"),
        ({"errors": {"x": {"type": "t", "status": 400, "titel": "t"}}}, "/use/errors/x/titel: `titel` is not a key of this object. Did you mean `title`?"),
        ({"errors": {"x": {"type": "${ $item }", "status": 400}}}, "/use/errors/x/type: the expression is wrong: $item is not defined"),
        ({"timeouts": {"x": {"aftr": "PT1S"}}}, "/use/timeouts/x/aftr: `aftr` is not a key of this object. Did you mean `after`?"),
        ({"timeouts": {"x": "y"}}, '/use/timeouts/x: a timeout is written out here; found "y"; expected {after: …}'),
        ({"retries": {"x": {"delay": "PT1S"}}}, "/use/retries/x: retries without a limit would never end"),
        ({"retries": {"x": "y"}}, "/use/retries/x: this must be an object"),
        ({"secrets": {}}, "/use/secrets: `secrets` must be a list of names; found an object"),
        ({"secrets": [5]}, "/use/secrets/0: a secret is named by a text; found 5"),
        ({"secrets": ["crm-pasword"]}, "/use/secrets/0: there is no connection `crm-pasword`. Did you mean `crm-password`?"),
        ({"secrets": ["zzz"]}, "/use/secrets/0: there is no connection `zzz`. Make a connection of this name in the admin first."),
        ({"secrets": ["crm-password", "crm-password"]}, "/use/secrets/1: `crm-password` is there twice. Remove one."),
        ({"authentications": {"x": {"use": "y"}}}, "/use/authentications/x/use: `use` is not a key of this object"),
        ({"authentications": {"x": {"digest": {}}}}, "/use/authentications/x/digest: `digest` is not supported. Use `basic` or `bearer`."),
        ({"authentications": {"x": {"basic": {"username": "u", "password": "${ $secrets.p }"}}}}, "/use/authentications/x/basic/password: the secret `p` is not declared"),
        ({"authentications": {"x": {"bearer": {"token": 5}}}}, "/use/authentications/x/bearer/token: `token` must be a text; found 5. Quote it."),
        ({"functions": {"x": {"set": {}}}}, "/use/functions/x: a function is a task with a `call`. Write the other tasks where they are used."),
        ({"functions": {"x": {"call": "nope"}}}, "/use/functions/x/call: there is no action `nope`"),
        ({"functions": {"x": {"call": "charge-card", "with": {"amuont": 5}}}}, "/use/functions/x/with/amuont: the argument is not a field of this schema. Did you mean `amount`?"),
        ({"functions": {"x": {"call": "y"}, "y": {"call": "send-mail"}}}, "/use/functions/x/call: a function cannot call another one of `use`. Name the action that it calls."),
        ({"functions": {"http": {"call": "send-mail"}}}, "/use/functions/http: `http` is a call of the language. Choose another name."),
        ({"functions": {"x": {"call": "http", "with": {"endpont": "https://e.com"}}}}, "/use/functions/x/with/endpont: `endpont` is not a key of this object. Did you mean `endpoint`?"),
        ({"functions": {"x": {"call": "send-mail", "with": {"a": "${ $item }"}}}}, "/use/functions/x/with/a: the expression is wrong: $item is not defined"),
        ({"functions": {"x": {"call": "send-mail", "if": ".x"}}}, "/use/functions/x/if: `if` is not a key of this object"),
    ],
)  # fmt: skip
def test_what_use_defines_is_checked(use: dict[str, Any], expected: str) -> None:
    found = texts("- a: {set: {}}", use=use)
    assert len(found) == 1, found
    assert found[0].startswith(expected)


def test_a_wrong_function_is_reported_where_it_is_defined_only() -> None:
    wrong = {"functions": {"x": {"call": "charge-card", "with": {"amount": "much"}}}}
    assert texts("- a: {call: x, with: {customer_id: c}}\n- b: {call: x, with: {customer_id: d}}", use=wrong) == [
        "/use/functions/x/with/amount: the argument must be of type number"
    ]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"queue": "mail", "priority": 0, "onFault": "undo"}, None),
        ({"queue": ""}, "/document/metadata/dotdo/queue: this is not the name of a queue"),
        ({"queue": "q" * 64}, "/document/metadata/dotdo/queue: this is not the name of a queue"),
        ({"priority": 5}, "/document/metadata/dotdo/priority: this is not a priority; found 5; expected 0 (first) to 4 (last)"),
        ({"priority": True}, "/document/metadata/dotdo/priority: this is not a priority"),
        ({"onFault": "redo"}, '/document/metadata/dotdo/onFault: this is not one of the known words; found "redo"; expected park or undo'),
        ({"missed": "skip"}, "/document/metadata/dotdo/missed: `missed` has no effect without a schedule"),
        ({"timezone": "UTC"}, "/document/metadata/dotdo/timezone: `timezone` has no effect without a schedule"),
        ({"saga": True}, "/document/metadata/dotdo/saga: `saga` is not a key of this object"),
    ],
)  # fmt: skip
def test_the_settings_of_a_document_are_checked(change: dict[str, Any], expected: str | None) -> None:
    made = document("- a: {set: {}}")
    made["document"]["metadata"] = {"dotdo": change}
    found = [str(problem) for problem in problems(made)]
    assert len(found) == (0 if expected is None else 1), found
    assert expected is None or found[0].startswith(expected)


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"timeout": {"after": "PT1H"}}, None),
        ({"timeout": {"after": "${ $workflow.input.patience }"}}, None),
        ({"timeout": "short", "use": USE}, None),
        ({"evaluate": {"language": "jq", "mode": "strict"}}, None),
        ({"timeout": "none"}, "/timeout: `use.timeouts` has no `none`"),
        ({"timeout": {"after": "${ $context.x }"}}, "/timeout/after: the expression is wrong: $context is not defined"),
        ({"evaluate": {"language": "javascript"}}, '/evaluate/language: this is not supported; found "javascript"; expected jq. Leave it out: expressions are jq.'),
        ({"evaluate": {"mode": "loose"}}, '/evaluate/mode: this is not supported; found "loose"; expected strict'),
    ],
)  # fmt: skip
def test_the_top_of_a_document_is_checked(more: dict[str, Any], expected: str | None) -> None:
    found = texts("- a: {set: {}}", **more)
    assert len(found) == (0 if expected is None else 1), found
    assert expected is None or found[0].startswith(expected)


@pytest.mark.parametrize(
    ("expression", "wrong"),
    [
        ("$secrets.crm | @base64", True),
        ('$secrets["crm-password"] | @uri', True),
        ('"\\($secrets.crm.user):\\($secrets.crm.password)" | @base64', True),
        ('"Basic " + ($secrets.crm.user + ":" + $secrets.crm.password | @base64)', True),
        ('"Basic " + (($secrets.crm.user + ":x") | @base64)', True),
        ('"key \\($secrets.crm)"', False),
        ("{key: $secrets.crm, text: (.text | @base64)}", False),
        ("$secrets.crm, (.text | @base64)", False),
    ],
)
def test_a_secret_that_an_expression_would_encode_is_refused_for_its_mark(expression: str, wrong: bool) -> None:
    called = [{"a": {"call": "send-mail", "with": {"n": f"${{ {expression} }}"}}}]
    found = problems({**document("- a: {set: {}}"), "use": {"secrets": ["crm", "crm-password"]}, "do": called})
    assert ["would encode the mark" in str(problem) for problem in found if problem.pointer.startswith("/do")] == (
        [True] if wrong else []
    )
