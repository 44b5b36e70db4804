"""Who a call says that it is: `basic` or `bearer`, written out, by name, or kept in a secret."""

from typing import Any

from workflows.language.checks.refused import AUTHENTICATION
from workflows.language.checks.report import Report, at, check_object, check_one_of, check_text, nearest
from workflows.language.checks.values import CALL, check_name, check_template, declared_secrets

SCHEMES = {"basic": ("username", "password"), "bearer": ("token",)}


def check_definition(report: Report, value: Any, pointer: str) -> None:
    """Check an authentication that `use` defines, with its expressions."""
    check_template(report, value, pointer, CALL)
    check_authentication(report, value, pointer, named=False)


def check_authentication(report: Report, value: Any, pointer: str, *, named: bool = True) -> None:
    """Check an authentication but for its expressions. `named`: it may also be `{use: name}`."""
    ways = ("use", *SCHEMES) if named else tuple(SCHEMES)
    way = check_one_of(report, value, pointer, ways, not_yet=AUTHENTICATION)
    if way == "use":
        name = check_text(report, value, "use", pointer)
        if name is not None:
            check_name(report, name, at(pointer, "use"), "authentications")
    elif way is not None:
        _check_scheme(report, way, value[way], at(pointer, way))


def _check_scheme(report: Report, way: str, value: Any, pointer: str) -> None:
    if isinstance(value, dict) and "use" in value:
        check_object(report, value, pointer, ("use",))
        _check_secret(report, value["use"], at(pointer, "use"))
        return
    if not check_object(report, value, pointer, SCHEMES[way], required=SCHEMES[way]):
        return
    for key in SCHEMES[way]:
        if not isinstance(value.get(key, ""), str):
            report.add(at(pointer, key), f"`{key}` must be a text", found=value[key], suggestion="Quote it.")


def _check_secret(report: Report, name: Any, pointer: str) -> None:
    known = declared_secrets(report)
    if name in known:
        return
    hint = (nearest(name, known) if isinstance(name, str) else "") or "List it under `use.secrets`."
    report.add(pointer, "this secret is not declared", found=name, suggestion=hint)
