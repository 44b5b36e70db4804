"""Named places of the product where a process dies, freezes, loses its connection or raises, once, on demand.

As a Django app (`DOTDO_APPS=tests.fault.failpoints FAILPOINTS=<folder>`) it wraps the product's functions in every
process of a cluster. Nothing of it is in the product.
"""
