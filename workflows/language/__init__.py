"""The workflow language: text -> document -> problems, or a lock and a `Program`. Standard library and YAML only."""

from workflows.language.catalog import Catalog, FunctionInfo
from workflows.language.loader import load
from workflows.language.locking import lock_functions, stored
from workflows.language.program import Program, build
from workflows.language.strictness import LoadError
from workflows.language.validator import Problem, validate

__all__ = [
    "Catalog",
    "FunctionInfo",
    "LoadError",
    "Problem",
    "Program",
    "build",
    "load",
    "lock_functions",
    "stored",
    "validate",
]
