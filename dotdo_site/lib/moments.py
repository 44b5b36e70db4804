"""Which times can be asked for: arithmetic and zones need room at both ends of the calendar."""

from datetime import datetime

FIRST_YEAR, LAST_YEAR = 1970, 9998  # a day more or less must be a time as well


def can_be_asked(moment: datetime) -> bool:
    """Tell whether a time is far enough from the ends of the calendar."""
    return FIRST_YEAR <= moment.year <= LAST_YEAR
