"""Where in a run a step stands, read from its key: the loops, tries, forks and events around it, in words."""

import re

# `@` names the try, iteration or event; what follows says which of the three it is.
_MARK = re.compile(
    r"/\d+/(?P<name>[\w-]+)(?:\[(?P<visit>\d+)\])?"
    r"(?:@(?P<mark>\w+))?(?=/(?P<block>try|catch|do|foreach|fork/branches/\d+/(?P<branch>[\w-]+))\b|$)"
)


def inside(key: str) -> list[str]:
    """Return what is around a step, the outermost first, such as `iteration 3 of lines`."""
    found = []
    for match in _MARK.finditer(key):
        name, mark, block = match["name"], match["mark"], match["block"] or ""
        if match["branch"]:
            found.append(f"branch {match['branch']} of {name}")
        elif mark:
            found.append(_marked(name, mark, block))
        if match["visit"]:
            found.append(f"visit {int(match['visit']) + 1} of {name}")
    return found


def name_of(key: str) -> str:
    """Return the name of the task that a key stands for."""
    last = key.rpartition("/")[2]
    return re.split(r"[@\[#]", last)[0] or last


def branches(key: str) -> list[str]:
    """Return the forks around a step, each with its branch, the outermost first; not the branch that is the step."""
    found = [name for match in _MARK.finditer(key) if match["branch"] for name in (match["name"], match["branch"])]
    return found[:-1] if re.search(r"/fork/branches/\d+/[^/]+$", key) else found


def title(kind: str, name: str, function: str) -> str:
    """Return what people call a step: a compensation and a deadline have the name of what they undo or limit."""
    if kind == "timer":
        return f"deadline of {name}"
    if kind != "undo":
        return name
    return f"undo of {name}" if function else "start of the undo"


def _marked(name: str, mark: str, block: str) -> str:
    if block == "catch":
        return f"what {name} does after a fault"
    if block == "try":
        return f"attempt {mark} of {name}"
    number = int(mark) + 1 if mark.isdigit() else mark
    return f"event {number} of {name}" if block == "foreach" else f"iteration {number} of {name}"
