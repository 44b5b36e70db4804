"""What the API takes and gives, field by field. Unknown keys are refused; what goes out is named here, one by one."""

from typing import Any

from rest_framework import serializers

from actions import contract, publishing
from dotdo_site.lib import fields
from dotdo_site.lib.rest import StrictSerializer
from workflows import queries, states

RUN_KINDS = ["action", "workflow"]
RUN_STATES = sorted(states.RUN_STATES)
HANDLER_KINDS = list(publishing.BY_HAND)
SCHEDULE_KINDS = ["every", "cron", "after", "on"]
SCHEDULE_STATES = ["active", "paused"]
MISSED = ["skip", "latest", "all"]
VERSION_STATES = ["draft", "published", "deprecated"]
MAX_PAGE = 200
MAX_WAIT_SECONDS = 30
REASON_LENGTH = 1_000
# `context`, `data`, `source` below are names of fields; the framework takes the fields out of the class, so the
# attributes of the same name that it types differently stay what they are.
MAX_SOURCE = 256 * 1024


class StartBody(StrictSerializer):
    """What to start with."""

    input = fields.Value(default=dict, help_text="Checked against the input schema of the version.")
    version = fields.Text(required=False, max_length=40, help_text="Default: the newest published one.")
    title = fields.Text(default="", allow_blank=True, max_length=200)
    tags = fields.Items(child=fields.Text(max_length=100), default=list, max_length=20)


class StartQuery(StrictSerializer):
    """How to answer."""

    wait = fields.Number(
        default=0, min_value=0, max_value=MAX_WAIT_SECONDS, help_text="Seconds to wait for the end of the run."
    )


class ReasonBody(StrictSerializer):
    """Why a person or a program steps in; it is written to the audit trail."""

    reason = fields.Text(max_length=REASON_LENGTH)


class PageQuery(StrictSerializer):
    """Where to read on."""

    cursor = fields.Text(required=False, max_length=1_100, help_text="From `next` or `previous`.")
    limit = fields.Whole(default=50, min_value=1, max_value=MAX_PAGE)


class RunsQuery(PageQuery):
    """Which runs."""

    state = fields.Choice(default="", choices=RUN_STATES)
    status = fields.Choice(
        default="", choices=sorted([*queries.LABELS, queries.FAILED]), help_text="As the pages name it."
    )
    name = fields.Text(default="", max_length=63)
    kind = fields.Choice(default="", choices=RUN_KINDS)
    q = fields.Text(
        default="", max_length=200, help_text="How the title or the key begins, or a name or an id as a whole."
    )
    tag = fields.Text(default="", max_length=100)
    key = fields.Text(default="", max_length=255, help_text="How the Idempotency-Key begins.")
    version = fields.Text(default="", max_length=40, help_text="The version of the definition.")
    queue = fields.Text(default="", max_length=63)
    code = fields.Text(default="", max_length=100, help_text="The error code with which a run rests as failed.")
    group = fields.Text(default="", max_length=32, help_text="The fingerprint of a group of failures.")
    parent = fields.Id(default=None, help_text="The id of the step that started them.")  # type: ignore[assignment]
    since = fields.Moment(default=None)
    until = fields.Moment(default=None)


class RunRow(serializers.Serializer[Any]):
    """A run in a list."""

    id = serializers.UUIDField()
    kind = serializers.ChoiceField(choices=RUN_KINDS)
    name = serializers.CharField()
    version = serializers.CharField()
    title = serializers.CharField()
    key = serializers.CharField(help_text="The Idempotency-Key it was started with.")
    state = serializers.ChoiceField(choices=RUN_STATES)
    reason = serializers.CharField()
    status = serializers.CharField(source="label", help_text="What the pages show.")
    now = serializers.CharField(help_text="One sentence: what it does, or why it rests.")
    trigger = serializers.CharField()
    actor = serializers.CharField()
    created_at = serializers.DateTimeField()
    started_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)
    steps_done = serializers.IntegerField()
    steps_open = serializers.IntegerField()
    steps_failed = serializers.IntegerField()


class Allowed(serializers.BooleanField):
    """Whether a command is possible now: nothing speaks against it."""

    def get_attribute(self, instance: Any) -> bool:
        """Return true where there is no refusal."""
        return getattr(instance, str(self.source)) is None


class Relative(serializers.Serializer[Any]):
    """A run above another one."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    title = serializers.CharField()
    status = serializers.CharField(source="label")
    step = serializers.CharField(help_text="The step that started the lower one.")
    index = serializers.IntegerField(help_text="Which of the runs that the step started, from 0.")


class Run(RunRow):
    """A run with its data; fields marked sensitive are masked."""

    tags = serializers.ListField(child=serializers.CharField())
    input = serializers.JSONField()
    output = serializers.JSONField()
    error = serializers.JSONField()
    context = serializers.JSONField()  # type: ignore[assignment]
    parent = Relative(allow_null=True, help_text="The run whose step started this one.")
    can_retry = Allowed()
    can_cancel = Allowed()
    can_suspend = Allowed()
    can_resume = Allowed()
    can_resolve = Allowed()
    can_undo = Allowed()
    can_erase = Allowed()


class Step(serializers.Serializer[Any]):
    """A step of a run."""

    id = serializers.UUIDField()
    key = serializers.CharField()
    ref = serializers.CharField()
    name = serializers.CharField()
    kind = serializers.CharField()
    function = serializers.CharField()
    state = serializers.CharField()
    status = serializers.CharField(source="label")
    caught = serializers.BooleanField(help_text="Failed, and the workflow went on.")
    inside = serializers.ListField(child=serializers.CharField(), help_text="Loops, tries and forks around it.")
    due_at = serializers.DateTimeField(allow_null=True)
    attempt = serializers.IntegerField(help_text="Attempts that have ended.")
    failures = serializers.IntegerField()
    crashes = serializers.IntegerField()
    generation = serializers.IntegerField()
    idempotency_key = serializers.CharField()
    policy = serializers.JSONField()
    input = serializers.JSONField()
    output = serializers.JSONField()
    error = serializers.JSONField()
    created_at = serializers.DateTimeField()
    started_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)


class Attempt(serializers.Serializer[Any]):
    """One attempt at a step, with what the handler logged."""

    number = serializers.IntegerField()
    outcome = serializers.CharField()
    input = serializers.JSONField()
    output = serializers.JSONField()
    error = serializers.JSONField()
    log = serializers.JSONField()
    worker = serializers.CharField(allow_null=True)
    code_version = serializers.CharField()
    started_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)


class StepDetail(Step):
    """A step with its attempts."""

    attempts = Attempt(many=True)


class AuditEvent(serializers.Serializer[Any]):
    """One link of the audit chain of a run."""

    seq = serializers.IntegerField()
    chain = serializers.UUIDField()
    at = serializers.DateTimeField()
    kind = serializers.CharField()
    actor = serializers.CharField()
    reason = serializers.CharField(allow_blank=True)
    sentence = serializers.CharField()
    data = serializers.JSONField()  # type: ignore[assignment]


class EntriesQuery(PageQuery):
    """Which datastore entries."""

    namespace = fields.Text(required=False, max_length=63)
    prefix = fields.Text(default="", max_length=255)


class EntryBody(StrictSerializer):
    """A value to store."""

    value = fields.Value(allow_null=True)


class Entry(serializers.Serializer[Any]):
    """A datastore entry; `version` counts its writes and is also its ETag."""

    namespace = serializers.CharField()
    key = serializers.CharField()
    value = serializers.JSONField()
    version = serializers.IntegerField()
    updated_at = serializers.DateTimeField()


class ActionDraft(StrictSerializer):
    """A draft of an action that needs no code."""

    name = fields.Text(max_length=63)
    kind = fields.Judged(choices=HANDLER_KINDS)
    config = fields.Object()
    input_schema = fields.Object(default=dict)
    output_schema = fields.Object(default=dict)
    version = fields.Text(default="1.0.0", max_length=40)
    title = fields.Text(default="", allow_blank=True, max_length=200)
    description = fields.Text(default="", allow_blank=True, max_length=10_000)
    retry = fields.Object(default=dict)
    timeout = fields.Text(default="30s", max_length=40)
    effect = fields.Judged(default="keyed", choices=contract.EFFECTS)
    on_crash = fields.Judged(default="retry", choices=contract.ON_CRASH)
    queue = fields.Text(default="default", max_length=63)
    undo = fields.Text(default="", allow_blank=True, max_length=63, help_text="The action that takes this one back.")
    notify = fields.Object(default=dict, help_text="Who is told when its runs need a person.")
    reason = fields.Text(default="", allow_blank=True, max_length=REASON_LENGTH)


class PublicationBody(StrictSerializer):
    """Why a version is published; the body may be left out."""

    reason = fields.Text(default="", allow_blank=True, max_length=REASON_LENGTH)


class WorkflowDraft(StrictSerializer):
    """A workflow document."""

    source = fields.Text(max_length=MAX_SOURCE, trim_whitespace=False, help_text="YAML or JSON.")  # type: ignore[assignment]


class WorkflowProblem(serializers.Serializer[Any]):
    """One thing that keeps a document from being published; parts that say nothing are empty."""

    pointer = serializers.CharField(help_text="JSON pointer into the document.")
    message = serializers.CharField()
    found = serializers.CharField()
    expected = serializers.CharField()
    suggestion = serializers.CharField()


class WorkflowCheck(serializers.Serializer[Any]):
    """What a check found."""

    valid = serializers.BooleanField()
    problems = WorkflowProblem(many=True)


class Version(serializers.Serializer[Any]):
    """A version of an action or workflow."""

    version = serializers.CharField()
    state = serializers.ChoiceField(choices=VERSION_STATES)
    created_at = serializers.DateTimeField()
    published_at = serializers.DateTimeField(allow_null=True)


class ActionRow(serializers.Serializer[Any]):
    """An action in a list, with its newest version."""

    name = serializers.CharField()
    title = serializers.CharField()
    description = serializers.CharField()
    version = serializers.CharField()
    state = serializers.CharField()
    kind = serializers.CharField()
    effect = serializers.CharField()


class Action(ActionRow):
    """An action with the contract of the version that a start uses, and its versions, newest first."""

    retry = serializers.JSONField()
    timeout_ms = serializers.IntegerField()
    transactional = serializers.BooleanField()
    on_crash = serializers.CharField()
    queue = serializers.CharField()
    undo = serializers.CharField(help_text="The action that takes this one back, or empty.")
    notify = serializers.JSONField(help_text="Who is told when its runs need a person.")

    input_schema = serializers.JSONField()
    output_schema = serializers.JSONField()
    versions = Version(many=True)


class ScheduleRow(serializers.Serializer[Any]):
    """When a workflow starts by itself; `upcoming` are the next moments, none when it is paused or waits for events."""

    workflow = serializers.CharField()
    version = serializers.CharField()
    kind = serializers.ChoiceField(choices=SCHEDULE_KINDS)
    rule = serializers.CharField()
    timezone = serializers.CharField()
    missed = serializers.ChoiceField(choices=MISSED)
    state = serializers.ChoiceField(choices=SCHEDULE_STATES)
    next_at = serializers.DateTimeField(allow_null=True)
    upcoming = serializers.ListField(child=serializers.DateTimeField())


class Fire(serializers.Serializer[Any]):
    """A moment that came: the run that was started, or why there is none."""

    nominal_at = serializers.DateTimeField()
    run = serializers.UUIDField(allow_null=True)
    status = serializers.CharField(source="label")
    skipped = serializers.BooleanField()


class Note(serializers.Serializer[Any]):
    """Something about the schedule that people should know: starts that were refused, pauses."""

    at = serializers.DateTimeField()
    kind = serializers.CharField()
    actor = serializers.CharField()
    reason = serializers.CharField(allow_blank=True)
    sentence = serializers.CharField()


class Schedule(ScheduleRow):
    """A schedule with what it did last, newest first."""

    fires = Fire(many=True)
    notes = Note(many=True)


class WorkflowRow(serializers.Serializer[Any]):
    """A workflow in a list, with its newest version."""

    name = serializers.CharField()
    title = serializers.CharField()
    description = serializers.CharField()
    version = serializers.CharField()
    state = serializers.CharField()


class Workflow(WorkflowRow):
    """A workflow with its document and versions."""

    source = serializers.CharField()  # type: ignore[assignment]
    document = serializers.JSONField()
    input_schema = serializers.JSONField()
    versions = Version(many=True)
