"""The path of a run as people tell it, from the keys that the engine's trace and its steps leave."""

from workflows.language.program import Program

HELD = ("do", "for", "try", "fork")


def tasks_run(program: Program, path: list[str]) -> list[str]:
    """Return the names of the tasks on a path: those that do something, a `listen` once for each event that it took."""
    kinds = {task.name: task.kind for task in program.by_ref.values() if task.kind not in HELD}
    found = []
    for entry in path:
        key, _, rest = entry.partition(" ")
        name = key.rpartition("/")[2].partition("[")[0]
        if name in kinds and (rest.startswith("took ") if kinds[name] == "listen" else not rest):
            found.append(name)
    return found
