from tests.conformance.fixtures import functions
from tests.conformance.standin import standin, standin_server

__all__ = ["functions", "standin", "standin_server"]
