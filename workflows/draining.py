"""A flag shared by all processes of a cluster: take no more steps, hand runs back after the step under way.

The page of memory is mapped before django-q2 forks, so every child sees what the supervising process writes.
"""

import mmap

_page = mmap.mmap(-1, 1)


def request() -> None:
    """Ask every worker of this cluster to stop taking steps."""
    _page[0] = 1


def requested() -> bool:
    """Tell whether this cluster drains."""
    return _page[0] == 1
