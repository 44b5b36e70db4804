"""Who is compared: the file of each, in which environment, and what it needs from the system."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Contestant:
    """A peer: `module` is its file, which names how it is tuned."""

    title: str
    module: str
    variant: str = ""
    needs: str = ""
    durable: bool = True

    @property
    def name(self) -> str:
        """Its name in the results."""
        return f"{self.module}-{self.variant}" if self.variant else self.module


REDIS = "redis-server"
CONTESTANTS = (
    Contestant("Restate (own log, not PostgreSQL)", "restate"),
    Contestant("Absurd", "absurd"),
    Contestant("DBOS, direct calls", "dbos"),
    Contestant("django-tasks, database backend", "django_tasks"),
    Contestant("Procrastinate", "procrastinate"),
    Contestant("Celery, Redis synced after each command", "celery", "durable", REDIS),
    Contestant("Celery, Redis without a file (not durable)", "celery", "volatile", REDIS, durable=False),
    Contestant("django-q2 chains, ORM broker", "django_q2"),
)
