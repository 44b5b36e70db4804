"""Publish workflow documents for tests."""

from workflows import operations

HEAD = "document: {dsl: 1.0.3, namespace: tests, name: %s, version: %s}\n"


def publish(name: str, body: str, version: str = "1.0.0") -> str:
    """Publish a document whose head is made here; return the name."""
    draft = operations.draft_workflow(HEAD % (name, version) + body, actor="user:test")
    operations.publish_workflow(draft.id, actor="user:test")
    return name
