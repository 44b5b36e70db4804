"""Where the ways of a switch meet again, found from where each task of its list may lead."""

from collections.abc import Sequence

OUT = -1
Flow = Sequence[tuple[int, ...]]


def meet(flow: Flow, switch: int, stop: int) -> int:
    """Return the place where all ways meet, each of them a stretch of its own before it; the switch's own if none."""
    return next((place for place in range(switch + 2, stop + 1) if _meets(flow, switch, place, stop)), switch)


def _meets(flow: Flow, switch: int, place: int, stop: int) -> bool:
    begins = sorted({at for at in flow[switch] if switch < at < place})
    if not begins or begins[0] != switch + 1 or any(at > place for at in flow[switch]):
        return False
    ends = [*begins[1:], place]
    return all(
        _alone(flow, begin, end, place, switch) for begin, end in zip(begins, ends, strict=True)
    ) and not _entered(flow, switch, place, stop)


def _alone(flow: Flow, begin: int, end: int, place: int, switch: int) -> bool:
    """Tell whether a stretch is left only at its end, to the meeting place or out of the list, or back before it."""
    for at in range(begin, end):
        for to in flow[at]:
            inside = begin < to < end and to > at
            leaves = to in (OUT, place) and (at == end - 1 or len(flow[at]) > 1 or to == OUT)
            if not (inside or leaves or 0 <= to <= switch):
                return False
    return True


def _entered(flow: Flow, switch: int, place: int, stop: int) -> bool:
    """Tell whether a task outside leads into the stretches."""
    outside = [*range(switch), *range(place, min(stop, len(flow)))]
    return any(switch < to < place for at in outside for to in flow[at])
