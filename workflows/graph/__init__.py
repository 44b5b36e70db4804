"""A definition as a drawing: its tasks as nested blocks, and what a run left of itself laid over them. Pure."""
