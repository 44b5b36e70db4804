"""The tables of the documentation say what the code says."""

import inspect
import re

from django.conf import settings
from django.urls import URLPattern

from actions import action, limits, logs, registry, retry, schemas
from actions.handlers import email, guard, http
from dotdo_site.access import roles, scopes
from dotdo_site.lib import problem_types, strict_json
from tests.integration.docs.blocks import PAGES, ROOT, code, rows, table, text_of
from workflows import cloudevents, command_serializers, occurrences, serializers, states
from workflows.api import cloudevents as batches
from workflows.api import starts, urls
from workflows.checkpoint import values as checkpoint
from workflows.engine import advance
from workflows.expressions import evaluation, scan
from workflows.expressions.sandbox import SANDBOX
from workflows.functions import mapping
from workflows.language import durations, loader
from workflows.language.checks import blocks, errors, refused, tasks, values
from workflows.operations import start
from workflows.queries import LABELS, detail

INTERNAL = {
    "DOTDO_CONFORMANCE_FEATURES",
    "DOTDO_DEMO_HTTP_PORT",
    "DOTDO_DEMO_SMTP_PORT",
    "DOTDO_STATEFUL_EXAMPLES",
    "DOTDO_TEST_POSTGRES",
    "DOTDO_TEST_VAR",
}  # given by the launcher to its own processes, or read by tests
NOT_OURS = {"PORT", "DATABASE_URL", "DATABASE_OWNER_URL", "SECRET_KEY"}
PROBLEM = re.compile(r'Problem\(\s*(\d{3}),\s*"([a-z-]+)"|(\d{3}): \("([a-z-]+)"')


def test_the_states_and_their_moves_are_those_of_the_code() -> None:
    for heading, meanings, moves in (
        ("States of a run", states.RUN_STATES, states.RUN_MOVES),
        ("States of a step", states.STEP_STATES, states.STEP_MOVES),
    ):
        documented = rows("docs/concepts.md", heading)
        assert {code(state)[0]: meaning for state, meaning, _ in documented} == meanings
        assert {code(state)[0]: tuple(code(move)) for state, _, move in documented} == moves


def test_the_labels_are_those_that_people_see() -> None:
    assert {code(label)[0] for label in table("docs/concepts.md", "label")} == LABELS.keys()


def test_the_arguments_of_an_action_are_those_of_the_decorator() -> None:
    documented = [name for cell in table("docs/actions.md", "argument of `@action`") for name in code(cell)]
    assert documented == list(inspect.signature(action).parameters)


def test_the_settings_of_http_actions_and_mails_are_those_that_are_accepted() -> None:
    documented = {name for cell in table("docs/actions.md", "setting") for name in code(cell)}
    assert documented == http.KEYS
    mail = text_of("docs/actions.md").partition("Settings: ")[2].partition("The\nMessage-ID")[0]
    assert set(code(mail)) == email.KEYS


def test_the_formats_are_those_that_are_enforced() -> None:
    listed = text_of("docs/actions.md").partition("and the formats `")[2].partition("`")[0]
    assert set(listed.split()) == schemas.FORMATS


def test_the_variables_of_expressions_are_those_that_are_checked() -> None:
    documented = {
        cell: {name[1:] for name in code(found[-1])} for cell, found in table("docs/workflows.md", "field").items()
    }
    assert list(documented.values()) == [
        values.EVERYWHERE,
        values.BEFORE_TASK,
        values.BODY,
        values.EXPORT,
        values.RESULT,
    ]


def test_the_names_that_expressions_cannot_use_are_listed() -> None:
    listed = text_of("docs/workflows.md").partition("Not available: `")[2].partition("`")[0].split()
    forbidden = scan.FORBIDDEN_NAMES | {f"${name}" for name in scan.FORBIDDEN_VARIABLES}
    assert set(listed) == forbidden - {"__json"}


def test_what_the_language_refuses_is_listed_with_what_to_do() -> None:
    parts = {
        "use": refused.USE,
        "evaluate": refused.EVALUATE,
        "call": refused.CALLS,
        "run": refused.RUN,
        "authentication": refused.AUTHENTICATION,
        "schema": refused.SCHEMA,
    }
    expected = [[f"{part}: `{key}`", hint] for part, keys in parts.items() for key, hint in keys.items()]
    assert rows("docs/profile.md", "Refused") == expected


def test_every_endpoint_is_listed_with_what_it_needs() -> None:
    documented = {
        (code(method)[0], code(path)[0]): (code(permission)[0], code(scope)[0])
        for method, path, permission, scope in rows("docs/api.md", "Endpoints")
    }
    assert documented == dict(_endpoints())


def test_the_scopes_are_those_of_the_code() -> None:
    assert {code(scope)[0]: text for scope, (text,) in table("docs/api.md", "scope").items()} == scopes.SCOPES


def test_every_problem_of_the_api_is_listed() -> None:
    sources = [
        ROOT / "dotdo_site/lib/problems.py",
        ROOT / "dotdo_site/lib/measured.py",
        ROOT / "workflows/api/problems.py",
    ]
    found = [match for source in sources for match in PROBLEM.findall(source.read_text())]
    known = {(one or other, slug or another) for one, slug, other, another in found}
    known |= {
        ("422", "invalid-input"),
        ("422", "invalid-definition"),
        ("422", "invalid-body"),
        ("400", "invalid-query"),
    }
    assert {(status, code(slug)[0]) for status, slug, _ in rows("docs/api.md", "Errors")} == known
    explained = [[str(status), f"`{slug}`", when] for slug, (status, when) in problem_types.TYPES.items()]
    assert rows("docs/api.md", "Errors") == explained


def test_the_roles_are_those_that_migrations_make() -> None:
    assert table("docs/operating.md", "role").keys() == roles.ROLES.keys()


def test_who_may_pause_schedules_can_read_so() -> None:
    assert "workflows.change_schedule" in roles.OPERATOR
    assert "pause, resume and run schedules" in str(table("docs/operating.md", "role")["Operator"])


def test_what_an_answer_to_an_approval_needs_and_gives_is_written_down() -> None:
    assert not command_serializers.AnswerBody().fields["reason"].required
    sentence = text_of("docs/api.md").partition("it needs no `reason`")[2].partition(".")[0]
    assert set(re.findall(r"`(\w+)`", sentence)) == set(command_serializers.Answer().fields)


def test_every_setting_is_documented_and_every_documented_one_exists() -> None:
    sources = [path for path in (ROOT / "dotdo_site").rglob("*.py") if "tests" not in path.parts]
    known = {name for path in sources for name in re.findall(r'"(DOTDO_[A-Z_]+[A-Z])"', path.read_text())} - INTERNAL
    listed = {name for cell in table("docs/operating.md", "variable") for name in code(cell)}
    assert listed == known | NOT_OURS
    for page in PAGES:
        assert set(re.findall(r"DOTDO_[A-Z_]+[A-Z]", page.read_text())) <= known | INTERNAL, page.name


def test_every_promise_names_tests_that_exist() -> None:
    sources = [path.read_text() for path in (ROOT / "tests").rglob("test_*.py")]
    existing = {name for source in sources for name in re.findall(r"def (test_\w+)", source)}
    for promise, (tests,) in table("docs/guarantees.md", "promise").items():
        assert code(tests), promise
        assert set(code(tests)) <= existing, promise


def test_the_published_limits_are_those_of_the_code() -> None:
    mebibytes = {limits.MAX_BYTES, strict_json.MAX_BYTES, guard.MAX_BYTES, settings.DATA_UPLOAD_MAX_MEMORY_SIZE}
    assert mebibytes == {evaluation.LARGEST_INPUT, 1024 * 1024}
    published = "\n".join(" ".join(row) for row in rows("docs/guarantees.md", "Limits"))
    for text in (
        f"1 MiB, {limits.MAX_DEPTH} levels, {limits.MAX_KEYS:,} keys in one object",
        f"log of one attempt {logs.CAP_BYTES // 1024} KiB",
        f"transactional {registry.LONGEST_TRANSACTIONAL:.0f} s",
        f"one retry policy {retry.MAX_ATTEMPTS}",
        f"one wait {durations.LONGEST_WAIT.days} days",
        f"{loader.LIMIT // 1024} KiB, {tasks.MAX_TASKS:,} tasks, {tasks.MAX_NESTING} nested lists",
        f"{scan.LONGEST:,} bytes, {SANDBOX.limit_s:g} s of processor time, {SANDBOX.memory_mib} MiB",
        f"a schema {schemas.MAX_SCHEMA_BYTES // 1024} KiB",
        f"{serializers.MAX_WAIT_SECONDS} s, {starts.WAITING_AT_ONCE} requests per web process",
        f"steps of one run {advance.MAX_STEPS:,}",
        f"steps shown with a run {detail.STEP_LIMIT:,}",
        f"a webhook, an event {cloudevents.MAX_BYTES // 1024} KiB, {batches.MAX_BATCH} events in a batch",
        f"branches of one `fork` {blocks.MAX_BRANCHES:,}",
        f"items of one `map` {mapping.MOST:,}",
        f"runs that start runs {start.MAX_DEPTH} deep",
        f"data) {checkpoint.LARGEST_CURSOR // 1024 // 1024} MiB",
        f"retries of one `try` {errors.MOST_RETRIES:,}",
        f"after downtime {occurrences.MOST_MISSED}",
    ):
        assert text in published


def test_every_link_leads_somewhere() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"
        for target, anchor in re.findall(r"\]\(([^)#:]*)#([^)]+)\)", page.read_text()):
            assert anchor in _anchors((page.parent / target) if target else page), f"{page.name}: #{anchor}"


def _endpoints() -> list[tuple[tuple[str, str], tuple[str, str]]]:
    found = []
    for pattern in urls.urlpatterns:
        assert isinstance(pattern, URLPattern)
        path = "/" + re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", str(pattern.pattern))
        needs = pattern.callback.view_class.needs  # type: ignore[attr-defined]
        found += [((method, path), (need.permission, need.scope)) for method, need in needs.items()]
    return found


def _anchors(page: object) -> set[str]:
    headings = re.findall(r"^#+ (.*)$", str(getattr(page, "read_text", str)()), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).strip().lower().replace(" ", "-") for heading in headings}
