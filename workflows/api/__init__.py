"""The API under /api/v1/. Each view checks its input, makes one call to `operations` or `queries`, and renders."""
