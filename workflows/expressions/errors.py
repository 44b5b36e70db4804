"""What goes wrong with an expression."""


class ExpressionError(Exception):
    """The expression could not be evaluated. `title` is short and fixed, `detail` says what happened."""

    code = "expression"
    status = 400

    def __init__(self, title: str, detail: str) -> None:
        super().__init__(f"{title}: {detail}")
        self.title = title
        self.detail = detail
