"""Ask for a verification of the whole audit trail; the housekeeper does it."""

import uuid

from django.db import transaction
from django.db.models.functions import Now

from actions.running import refuse_inside_handler
from audit.models import Verification
from audit.recording import TRAIL, record
from workflows.operations.errors import NotAllowed


def ask_verification(*, actor: str) -> uuid.UUID:
    """Have the whole trail verified, unless that is under way already. Raises NotAllowed."""
    refuse_inside_handler("verify the audit trail")
    with transaction.atomic():
        row = Verification.objects.create(asked_by=actor, asked_at=Now())
        # It locks the chain: whoever asks meanwhile sees this one.
        record(chain=TRAIL, kind="audit.verification_asked", actor=actor, data={"verification": str(row.pk)})
        if Verification.objects.filter(ended_at__isnull=True).exclude(pk=row.pk).exists():
            raise NotAllowed("A verification is under way already: wait for what it finds.")
    return row.pk
