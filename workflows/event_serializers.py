"""What the API takes and gives about events."""

from typing import Any

from rest_framework import serializers

from dotdo_site.lib import fields
from workflows.serializers import PageQuery


class EventsQuery(PageQuery):
    """Which events."""

    type = fields.Text(default="", max_length=255)
    run = serializers.UUIDField(
        default=None, help_text="Handed to this run.", error_messages={"invalid": "must be the id of a run"}
    )


class CloudEvent(serializers.Serializer[Any]):
    """A CloudEvent 1.0; further attributes of small letters and digits are kept, as text, boolean or integer."""

    specversion = serializers.ChoiceField(choices=["1.0"])
    id = serializers.CharField(help_text="Together with `source` it names the event: it is taken once.")
    source = serializers.CharField(help_text="A URI reference.")  # type: ignore[assignment]
    type = serializers.CharField()
    subject = serializers.CharField(required=False, help_text="The id of a run: the event is for that run only.")
    time = serializers.DateTimeField(required=False)
    datacontenttype = serializers.CharField(required=False)
    dataschema = serializers.CharField(required=False)
    data = serializers.JSONField(required=False)  # type: ignore[assignment]
    data_base64 = serializers.CharField(required=False)


class Delivered(serializers.Serializer[Any]):
    """What became of an event."""

    id = serializers.UUIDField(source="event_id")
    created = serializers.BooleanField(help_text="False: it had been taken before, and nothing happened now.")
    runs = serializers.ListField(child=serializers.UUIDField(), help_text="The runs that it was handed to.")


class EventRow(serializers.Serializer[Any]):
    """An event in a list."""

    id = serializers.UUIDField()
    source = serializers.CharField()  # type: ignore[assignment]
    event_id = serializers.CharField(help_text="The `id` that its source gave it.")
    type = serializers.CharField()
    subject = serializers.CharField()
    run_id = serializers.UUIDField(allow_null=True, help_text="The run that it is addressed to.")
    via = serializers.CharField(help_text="api, webhook, endpoint, emit or person.")
    received_at = serializers.DateTimeField()


class Event(EventRow):
    """An event with its envelope."""

    runs = serializers.ListField(child=serializers.UUIDField(), help_text="The runs that it was handed to.")
    envelope = serializers.JSONField()
