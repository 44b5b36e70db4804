"""Callers of the API for the tests of exports."""

from tests.integration.api.conftest import api, signed_in, with_key

__all__ = ["api", "signed_in", "with_key"]
