"""`manage.py seal_audit`: seal the audit trail now, and bring the seals to the anchors."""

from typing import Any

from django.core.management.base import BaseCommand

from audit import anchoring, sealing
from audit.models import Anchor


class Command(BaseCommand):
    help = "Seal the audit trail now instead of when it is due."

    def handle(self, *args: Any, **options: Any) -> None:
        """Seal everything that is committed, and say where the seals are."""
        for seal in sealing.seal():
            signed = f"signed with {seal.key}" if seal.key else "not signed"
            self.stdout.write(f"seal {seal.number}: {seal.count} chains, {signed}, {bytes(seal.hash).hex()}")
        last = sealing.newest()
        anchoring.deliver()
        for anchor in Anchor.objects.filter(target__in=[target.name for target in anchoring.targets()]):
            state = "up to date" if last and anchor.upto >= last.number else f"it has seals up to {anchor.upto}"
            self.stdout.write(f"{anchor.target}: {state}{'; ' if anchor.error else ''}{anchor.error}")
