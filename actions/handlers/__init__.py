"""How actions reach the outside and the code: see `kinds.py` for the list. Empty, so that the guard loads no models."""
