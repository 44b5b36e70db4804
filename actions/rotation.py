"""Keys of secrets come and go: what is stored follows."""

from django.db import transaction

from actions import sealing, secrets
from actions.models import Connection
from audit import recording


def rotate(*, actor: str) -> tuple[int, list[str]]:
    """Encrypt all secrets with the current key; return how many changed and what could not be read.

    All or nothing: when one cannot be read, nothing is changed.
    """
    current = sealing.key_names()[0]
    changed, failures = [], []
    with transaction.atomic():
        for connection in Connection.objects.exclude(ciphertext="").select_for_update():
            try:
                plaintext = sealing.decrypt(connection.ciphertext, secrets.bound_to(connection))
            except sealing.CannotDecrypt as error:
                failures.append(f"{connection.name}: {error}")
                continue
            if sealing.key_of(connection.ciphertext) != current:
                connection.ciphertext = sealing.encrypt(plaintext, secrets.bound_to(connection))
                changed.append(connection)
        if failures:
            return 0, failures
        for connection in changed:
            connection.save(update_fields=["ciphertext"])
            recording.record(chain=connection.id, kind="secrets.rotated", actor=actor, data={"key": current})
    return len(changed), []


def drop_unreadable(*, actor: str) -> list[str]:
    """Empty the secrets that cannot be read with any key; return the names of their connections."""
    dropped = []
    with transaction.atomic():
        for connection in Connection.objects.exclude(ciphertext="").select_for_update().order_by("name"):
            try:
                secrets.parts_of(connection)
            except sealing.CannotDecrypt:
                connection.ciphertext = ""
                connection.save(update_fields=["ciphertext"])
                data = {"name": connection.name, "allowed_hosts": connection.allowed_hosts, "parts": []}
                recording.record(chain=connection.id, kind="connection.changed", actor=actor, data=data)
                dropped.append(connection.name)
    return dropped


def missing_keys() -> list[str]:
    """Return the names of keys that stored secrets need and SECRETS_KEYS does not have."""
    stored = Connection.objects.exclude(ciphertext="").values_list("ciphertext", flat=True)
    return sorted({sealing.key_of(text) for text in stored} - set(sealing.key_names()))
