"""Failures of the same cause together: which one it is (`fingerprint`), who belongs to it (`recording`), what people
decided about it (`moving`), and what the housekeeper does for it (`chores`).
"""
