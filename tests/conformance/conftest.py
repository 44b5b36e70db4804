from tests.conformance.fixtures import functions, published
from tests.conformance.standin import standin, standin_server

__all__ = ["functions", "published", "standin", "standin_server"]
