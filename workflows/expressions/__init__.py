"""jq expressions. The one door to jq: a fast lane for plain paths, a sandbox process for everything else."""

from workflows.expressions.errors import ExpressionError
from workflows.expressions.evaluation import VARIABLES, compile_all, compiles, evaluate
from workflows.expressions.scan import forbidden, mentions

__all__ = ["VARIABLES", "ExpressionError", "compile_all", "compiles", "evaluate", "forbidden", "mentions"]
