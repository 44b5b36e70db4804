"""An app whose one migration indexes the table that workers use most, beside the traffic."""
