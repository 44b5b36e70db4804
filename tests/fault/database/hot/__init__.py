"""An app whose one migration changes the table that workers use most."""
