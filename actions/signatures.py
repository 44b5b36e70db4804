"""From a Python signature to JSON Schemas, and from JSON values to typed arguments and back, through pydantic."""

import inspect
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, NotRequired, Required, get_type_hints

from pydantic import ConfigDict, PydanticUserError, TypeAdapter, ValidationError
from pydantic.errors import PydanticSchemaGenerationError
from pydantic.json_schema import GenerateJsonSchema
from pydantic_core import PydanticSerializationError, core_schema, to_jsonable_python
from typing_extensions import TypedDict

from actions.errors import ActionError
from actions.problems import Problem, pointer
from actions.schemas import FORMATS, Schema

Handler = Callable[..., Any]
CONTEXT_KINDS = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
DECIMAL = r"^[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?$"


class SignatureError(TypeError):
    """The function's signature cannot become a contract."""


def from_signature(fn: Handler) -> tuple[Schema, Schema]:
    """Return the input and output schema of a handler `fn(ctx, ...)`. Raises SignatureError."""
    return _input_schema(fn), _output_schema(fn)


def bind(fn: Handler, value: Any) -> dict[str, Any]:
    """Return the keyword arguments for a JSON object, coerced to the annotated types. Raises ActionError."""
    if not isinstance(value, dict):
        raise ActionError("invalid_input", "the input is not an object", retryable=False)
    try:
        return dict(_input_adapter(fn).validate_python(value))
    except ValidationError as error:
        found = [Problem(pointer(part["loc"]), part["type"], part["msg"]) for part in error.errors(include_input=False)]
        raise ActionError(
            "invalid_input",
            "the input does not fit the handler: " + "; ".join(map(str, found)),
            retryable=False,
            details={"problems": [problem.as_dict() for problem in found]},
        ) from None


def dump(value: Any, annotation: Any = Any) -> Any:
    """Return what a handler returned as a JSON value. Raises ActionError `invalid_output` where there is none."""
    try:
        if annotation is Any:
            return to_jsonable_python(value, by_alias=True)
        return _adapter(annotation).dump_python(value, mode="json", by_alias=True, warnings="none")
    except (PydanticSerializationError, ValueError, TypeError, RecursionError) as error:
        message = f"the result is not a JSON value: {error}"
        raise ActionError("invalid_output", message, retryable=False, definite=False) from None


def return_annotation(fn: Handler) -> Any:
    """Return the annotation of the result; Any where there is none."""
    return _hints(fn).get("return", Any)


class _LinearSchema(GenerateJsonSchema):
    """Write decimals with a pattern that runs in linear time: pydantic's own has look-around, or there is none."""

    def decimal_schema(self, schema: core_schema.DecimalSchema) -> Schema:
        result = super().decimal_schema(schema)
        for part in [result, *result.get("anyOf", [])]:
            if part.get("type") == "string":
                part["pattern"] = DECIMAL
        return result


def _input_schema(fn: Handler) -> Schema:
    schema: Schema = _tidy(_schema_of(fn, _input_adapter(fn), "validation"))
    schema.pop("title", None)
    for parameter in fields_of(fn):
        field = schema["properties"][parameter.name]
        if parameter.default is not parameter.empty and not field.get("x-sensitive"):
            _note_default(fn, field, parameter)
    return schema


def _note_default(fn: Handler, schema: Schema, parameter: inspect.Parameter) -> None:
    try:
        schema["default"] = dump(parameter.default, _hints(fn).get(parameter.name, Any))
    except ActionError as error:
        raise SignatureError(f"{_name(fn)}: the default of {parameter.name}: {error.message}") from None


def _output_schema(fn: Handler) -> Schema:
    annotation = return_annotation(fn)
    return {} if annotation is Any else _tidy(_schema_of(fn, _adapter(annotation), "serialization"))


def _schema_of(fn: Handler, adapter: TypeAdapter[Any], mode: Any) -> Schema:
    try:
        return adapter.json_schema(mode=mode, schema_generator=_LinearSchema)
    except PydanticUserError as error:
        raise SignatureError(f"{_name(fn)}: no JSON Schema for its signature: {error}") from None


def fields_of(fn: Handler) -> list[inspect.Parameter]:
    """Return the parameters after `ctx` that make up the input. Raises SignatureError."""
    parameters = list(inspect.signature(fn).parameters.values())
    if not parameters or parameters[0].kind not in CONTEXT_KINDS:
        raise SignatureError(
            f"{_name(fn)}: the first parameter of a handler is its context: def {fn.__name__}(ctx, ...)"
        )
    rest = parameters[1:]
    for parameter in rest:
        if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.VAR_POSITIONAL):
            raise SignatureError(f"{_name(fn)}: {parameter} has no name that an input could carry")
    return [parameter for parameter in rest if parameter.kind is not parameter.VAR_KEYWORD]


def takes_anything(fn: Handler) -> bool:
    """Tell whether the handler has `**fields`, which needs a schema given by hand."""
    return any(part.kind is part.VAR_KEYWORD for part in inspect.signature(fn).parameters.values())


@lru_cache(maxsize=1_000)
def _input_adapter(fn: Handler) -> TypeAdapter[Any]:
    hints = _hints(fn)
    members = {part.name: _member(hints.get(part.name, Any), part) for part in fields_of(fn)}
    make: Any = TypedDict  # called with what is only known now, which type checkers refuse
    shape = make("Input", members)
    shape.__pydantic_config__ = ConfigDict(extra="allow" if takes_anything(fn) else "forbid")
    return _checked(fn, shape)


def _member(annotation: Any, parameter: inspect.Parameter) -> Any:
    return Required[annotation] if parameter.default is parameter.empty else NotRequired[annotation]


def _adapter(annotation: Any) -> TypeAdapter[Any]:
    try:
        return _cached_adapter(annotation)
    except TypeError:  # unhashable annotation, for example Annotated[int, {...}]
        return TypeAdapter(annotation)


@lru_cache(maxsize=1_000)
def _cached_adapter(annotation: Any) -> TypeAdapter[Any]:
    return TypeAdapter(annotation)


def _checked(fn: Handler, shape: Any) -> TypeAdapter[Any]:
    try:
        return TypeAdapter(shape)
    except (PydanticSchemaGenerationError, PydanticUserError) as error:
        raise SignatureError(f"{_name(fn)}: its parameters cannot be read from JSON: {error}") from None


@lru_cache(maxsize=1_000)
def _hints(fn: Handler) -> Mapping[str, Any]:
    try:
        return get_type_hints(fn, include_extras=True)
    except NameError as error:
        raise SignatureError(f"{_name(fn)}: an annotation cannot be resolved: {error}") from None


def _tidy(schema: Any) -> Any:
    """Drop what pydantic writes and no validator enforces; passwords become sensitive."""
    if isinstance(schema, list):
        return [_tidy(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    result = {key: _tidy_key(key, part) for key, part in schema.items() if key != "discriminator"}
    given = result.get("format")
    if isinstance(given, str) and given not in FORMATS:
        del result["format"]
        if given == "password":
            result["x-sensitive"] = True
    return result


def _tidy_key(key: str, part: Any) -> Any:
    if key in ("properties", "$defs", "patternProperties") and isinstance(part, dict):
        return {name: _tidy(child) for name, child in part.items()}
    return part if key in ("default", "examples", "enum", "const") else _tidy(part)


def _name(fn: Handler) -> str:
    return f"{fn.__module__}.{fn.__qualname__}"
