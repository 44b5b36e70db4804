"""The fields of what callers send, strict and in our own words: what is not text is not turned into text."""

from datetime import datetime
from typing import Any, NoReturn

from rest_framework import serializers

from dotdo_site.lib.moments import can_be_asked

COMMON: dict[str, Any] = {"required": "is required", "null": "must not be null"}
BOUNDS = {"max_value": "must be at most {max_value}", "min_value": "must be at least {min_value}"}


class Text(serializers.CharField):
    """Text, without the spaces around it."""

    default_error_messages = COMMON | {
        "invalid": "must be text",
        "blank": "must not be empty",
        "max_length": "must be at most {max_length} characters long",
    }

    def to_internal_value(self, data: Any) -> str:
        """Return the text. Raises ValidationError for numbers as well, which the framework would accept."""
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class Number(serializers.FloatField):
    """A number within bounds."""

    default_error_messages = COMMON | BOUNDS | {"invalid": "must be a number", "max_string_length": "must be a number"}


class Whole(serializers.IntegerField):
    """A whole number within bounds."""

    default_error_messages = (
        COMMON | BOUNDS | {"invalid": "must be a whole number", "max_string_length": "must be a whole number"}
    )


class Choice(serializers.ChoiceField):
    """One of some words."""

    default_error_messages = COMMON | {"invalid_choice": "must be one of {choices}"}

    def fail(self, key: str, **values: Any) -> NoReturn:
        """Raise ValidationError, naming the choices."""
        super().fail(key, choices=", ".join(map(str, self.choices)), **values)


class Judged(Choice):
    """A choice that the operation judges, together with everything else that may be wrong; here it is documented."""

    def to_internal_value(self, data: Any) -> Any:
        """Return the text. Raises ValidationError for what is none."""
        if not isinstance(data, str):
            self.fail("invalid_choice")
        return data


class Moment(serializers.DateTimeField):
    """A time with its date."""

    default_error_messages = COMMON | dict.fromkeys(
        ("invalid", "date", "make_aware", "overflow"), "must be a time such as 2026-01-31T12:00:00Z"
    )

    def to_internal_value(self, value: Any) -> datetime:
        """Return the time. Raises ValidationError for the ends of the calendar as well."""
        found: datetime = super().to_internal_value(value)
        if not can_be_asked(found):
            self.fail("overflow")
        return found


class Id(serializers.UUIDField):
    """An id."""

    default_error_messages = COMMON | {"invalid": "must be an id such as 01932f4c-7b1e-7c3a-9a55-0242ac120002"}


class Items(serializers.ListField):
    """A list of so many items at most."""

    default_error_messages = COMMON | {
        "not_a_list": "must be a list",
        "max_length": "must have at most {max_length} items",
    }


class Object(serializers.DictField):
    """An object of anything."""

    default_error_messages = COMMON | {"not_a_dict": "must be an object"}


class Value(serializers.JSONField):
    """Anything that JSON can say."""

    default_error_messages = COMMON | {"invalid": "must be JSON"}
