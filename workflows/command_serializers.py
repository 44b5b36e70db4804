"""What commands on steps and answers to approvals take and give, field by field."""

from typing import Any

from rest_framework import serializers

from dotdo_site.lib import fields
from dotdo_site.lib.rest import StrictSerializer
from workflows import approvals
from workflows.serializers import REASON_LENGTH, ReasonBody


class StepBody(ReasonBody):
    """Which step, and why."""

    step = fields.Text(source="key", max_length=1_000, trim_whitespace=False, help_text="The `key` of the step.")


class SkipBody(StepBody):
    """The output that a step is given by hand."""

    output = fields.Value(allow_null=True, help_text="Checked against the output schema of the action.")


class FireBody(StepBody):
    """The step whose wait ends now."""


class Erased(serializers.Serializer[Any]):
    """How many runs were erased: the run itself and those that it had started."""

    runs = serializers.IntegerField()


class AnswerBody(StrictSerializer):
    """The answer to an approval."""

    step = fields.Text(max_length=1_000, trim_whitespace=False, help_text="The `key` of the step that asks.")
    decision = fields.Choice(choices=approvals.DECISIONS)
    data = fields.Value(required=False, allow_null=True, help_text="What the form asks for.")  # type: ignore[assignment]
    reason = fields.Text(default="", allow_blank=True, max_length=REASON_LENGTH)


class Approval(serializers.Serializer[Any]):
    """What waits for a person; `step` is the key that the answer names."""

    run = serializers.UUIDField()
    step = serializers.CharField(source="key")
    step_id = serializers.UUIDField(source="step")
    workflow = serializers.CharField(source="run_name")
    run_title = serializers.CharField()
    title = serializers.CharField()
    description = serializers.CharField()
    users = serializers.ListField(child=serializers.CharField(), help_text="Who is asked; with no groups: anybody.")
    groups = serializers.ListField(child=serializers.CharField())
    form = serializers.JSONField(help_text="The JSON Schema of `data`.")
    since = serializers.DateTimeField()
    due_at = serializers.DateTimeField(allow_null=True)


class Answer(serializers.Serializer[Any]):
    """An answer that was taken. Who answers need not be allowed to read the run."""

    run = serializers.UUIDField()
    step = serializers.CharField()
    decision = serializers.CharField()
    by = serializers.CharField()
