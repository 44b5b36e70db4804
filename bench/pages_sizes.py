"""How much there is of everything, and the run with 500 steps."""

import uuid

DAYS = 90
LONG = uuid.UUID("01900000-0000-7000-8000-00000000b16a")  # the run with 500 steps
LONG_STEPS = 500
FLOWS, ACTIONS = 31, 8  # and the definition of the long run
STEPS_EACH, LINKS_EACH = 3, 4
