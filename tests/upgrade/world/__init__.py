"""A small business that leaves runs in every kind of wait, and how each of them must end.

It runs against any checkout of dotdo: by relative imports from a folder on PYTHONPATH, and through the HTTP API, which
is the contract that outlives releases. `make.py` makes the runs, `finish.py` gives them what they wait for.
"""
