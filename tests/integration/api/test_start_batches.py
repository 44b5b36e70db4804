"""A batch of starts over HTTP: all or none, each item judged as strictly as a start of its own."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.integration.api.conftest import Caller
from tests.support.documents import publish
from tests.support.engine import work_until_idle
from workflows.models import IdempotencyKey, Run
from workflows.start_serializers import MOST

pytestmark = pytest.mark.usefixtures("handlers")
PATH = "actions/test-echo/runs/batch"


def item(value: Any = 1, **options: Any) -> dict[str, Any]:
    return {"input": {"value": value}, **options}


def test_a_batch_starts_every_run_and_names_them_in_order(api: Caller) -> None:
    body = {"runs": [item(1, key="a", title="one", tags=["x"]), item(2), item(3, version="1.0.0", title=" spaces ")]}
    answer = api("POST", PATH, body)
    assert answer.status_code == 200
    runs = [Run.objects.get(pk=each["id"]) for each in answer.json()["runs"]]
    assert [(run.input, run.title, run.key, run.tags) for run in runs] == [
        ({"value": 1}, "one", "a", ["x"]), ({"value": 2}, "", "", []), ({"value": 3}, "spaces", "", []),
    ]  # fmt: skip
    assert {(run.trigger, run.actor.partition(":")[0]) for run in runs} == {("api", "key")}
    work_until_idle()
    assert Run.objects.filter(state="succeeded").count() == 3


def test_a_batch_of_a_workflow_starts_the_newest_version(api: Caller) -> None:
    name = publish("trial", "do:\n- say: {call: test-echo, with: {value: 1}}")
    answer = api("POST", f"workflows/{name}/runs/batch", {"runs": [{}, {"key": "k"}]})
    assert [each["created"] for each in answer.json()["runs"]] == [True, True]
    assert set(Run.objects.values_list("name", "kind")) == {("trial", "workflow")}


def test_a_batch_repeated_is_the_same_runs(api: Caller) -> None:
    body = {"runs": [item(n, key=f"k{n}") for n in range(3)]}
    first, again = (api("POST", PATH, body).json()["runs"] for _ in range(2))
    assert [each["id"] for each in first] == [each["id"] for each in again]
    assert [each["created"] for each in first + again] == [True] * 3 + [False] * 3
    single = api("POST", "actions/test-echo/runs", {"input": {"value": 2}}, Idempotency_Key="k2")
    assert (single.status_code, single.json()["id"]) == (200, first[2]["id"])


def test_all_that_is_wrong_with_a_batch_is_told_at_once_and_none_is_started(api: Caller) -> None:
    api("POST", "actions/test-ledger/runs", {"input": {"name": "x"}}, Idempotency_Key="used")
    good = {"input": {"name": "x"}}
    wrong: list[Any] = [
        good,
        {"input": {"nome": 1}},
        good | {"titel": "x"},
        "text",
        good | {"tags": ["ok", 5]},
        good | {"key": "two words"},
        good | {"version": "9.9.9"},
        good | {"input": None},
        good | {"key": "same"},
        {"input": {"name": "y"}, "key": "same"},
    ]
    answer = api("POST", "actions/test-ledger/runs/batch", {"runs": wrong})
    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/runs-refused")
    pointers = {error["pointer"] for error in answer.json()["errors"]}
    assert pointers == {
        "/runs/1/input/name",
        "/runs/1/input/nome",
        "/runs/2/titel",
        "/runs/3",
        "/runs/4/tags/1",
        "/runs/5/key",
        "/runs/6/version",
        "/runs/7/input",
        "/runs/9/key",
    }
    used = api("POST", "actions/test-ledger/runs/batch", {"runs": [good, {"input": {"name": "z"}, "key": "used"}]})
    assert [(error["pointer"], error["rule"]) for error in used.json()["errors"]] == [
        ("/runs/1/key", "idempotency-key-reused")
    ]
    assert Run.objects.count() == IdempotencyKey.objects.count() == 1


@pytest.mark.parametrize(
    ("body", "pointer", "message"),
    [
        ([], "", "must be an object"),
        ({}, "/runs", "is required"),
        ({"runs": []}, "/runs", "must not be empty"),
        ({"runs": {}}, "/runs", "must be a list"),
        ({"runs": None}, "/runs", "must not be null"),
        ({"runs": [{}] * (MOST + 1)}, "/runs", "must have at most 1000 items"),
        ({"runs": [{}], "atomic": False}, "/atomic", "is not known here; known are: runs."),
    ],
)
def test_a_body_that_is_no_batch_is_refused(api: Caller, body: Any, pointer: str, message: str) -> None:
    answer = api("POST", PATH, body)
    assert (answer.status_code, answer.json()["errors"]) == (
        422, [{"pointer": pointer, "rule": answer.json()["errors"][0]["rule"], "message": message}],
    )  # fmt: skip
    assert not Run.objects.exists()


def test_a_batch_is_let_in_like_a_single_start(api: Caller, with_key: Callable[..., Caller]) -> None:
    body = {"runs": [item()]}
    assert with_key("start:action:other-*")("POST", PATH, body).status_code == 403
    assert with_key("start:workflow:*")("POST", PATH, body).status_code == 403
    assert with_key("start:action:*", role="Viewer")("POST", PATH, body).status_code == 403
    assert api("POST", "actions/test-ehco/runs/batch", body).json()["near"][0] == "test-echo"
    large = {"runs": [item("x" * 1_000_000), item("x" * 1_000_000)]}
    assert api("POST", PATH, large).status_code == 413
    assert api("POST", PATH, b'{"runs": [{"input": NaN}]}').status_code == 400
    text = api.client.generic("POST", f"/api/v1/{PATH}", json.dumps(body), content_type="text/plain")
    assert text.status_code == 415
    assert not Run.objects.exists()
