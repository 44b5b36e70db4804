"""What notifications and mutes take and give, field by field."""

from typing import Any

from rest_framework import serializers

from dotdo_site.lib import fields
from workflows.models.notifications import NOTIFICATION_STATES
from workflows.operations.notifications import SUBJECTS
from workflows.serializers import PageQuery, ReasonBody


class NotificationsQuery(PageQuery):
    """Which notifications."""

    state = fields.Choice(default="", choices=sorted(NOTIFICATION_STATES))


class Notification(serializers.Serializer[Any]):
    """A message to one address. Its `id` is that of the message itself, the same for all attempts."""

    id = serializers.UUIDField()
    kind = serializers.CharField()
    definition = serializers.CharField()
    channel = serializers.CharField()
    address = serializers.CharField(help_text="Of a webhook its host and a digest: the path may be a secret.")
    because = serializers.CharField(help_text="Who named the address.")
    state = serializers.CharField()
    count = serializers.IntegerField(help_text="How much it tells of.")
    attempts = serializers.IntegerField()
    error = serializers.CharField(help_text="Of the last attempt.")
    due_at = serializers.DateTimeField()
    created_at = serializers.DateTimeField()
    ended_at = serializers.DateTimeField(allow_null=True)


class MuteBody(ReasonBody):
    """What is muted, and until when."""

    subject = fields.Choice(choices=SUBJECTS)
    name = fields.Text(max_length=120, help_text="The name of the rule or definition, or the id of the run.")
    until = fields.Moment()


class Mute(serializers.Serializer[Any]):
    """What nobody is told of, and until when."""

    id = serializers.UUIDField()
    subject = serializers.CharField()
    name = serializers.CharField()
    until = serializers.DateTimeField()
    by = serializers.CharField()
    reason = serializers.CharField()
