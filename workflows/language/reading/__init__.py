"""From a valid document to the frozen tasks of a program."""
