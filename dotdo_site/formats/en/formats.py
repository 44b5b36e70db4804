"""Times in the admin as on the pages: 21 Nov 2026, 07:09:09."""

DATE_FORMAT = "j M Y"
TIME_FORMAT = "H:i:s"
DATETIME_FORMAT = "j M Y, H:i:s"
