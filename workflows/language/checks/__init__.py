"""The checks of a document, by subject. `validator.validate` runs them all."""
