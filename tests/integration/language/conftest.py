from tests.integration.actions.conftest import server

__all__ = ["server"]
