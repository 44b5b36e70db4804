"""How a chaos run is asked for: everything from the environment, so that `make chaos NAME=value` reads naturally."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dotdo_site.settings import VAR_DIR, env_bool


@dataclass(frozen=True)
class Options:
    """One run: length, seed, how much comes in, how often what goes wrong, how far clocks are off, which bug is in."""

    var: Path
    duration: float = 60.0
    seed: int = 1
    calm: bool = False
    only_kills: bool = False
    rate: float = 30.0
    pause: float = 0.3
    skew: float = 5_400.0
    lease: float = 2.0
    mutant: str = ""


def from_environment(environment: Mapping[str, str] = os.environ) -> Options:
    """Read DURATION, SEED, CALM, KILLS, RATE, PAUSE, SKEW, LEASE and MUTANT. Raises ValueError."""
    kills = env_bool("KILLS", default=False)
    return Options(
        var=VAR_DIR,
        duration=float(environment.get("DURATION") or 60),
        seed=int(environment.get("SEED") or 1),
        calm=env_bool("CALM", default=False),
        only_kills=kills,
        rate=float(environment.get("RATE") or 30),
        pause=float(environment.get("PAUSE") or 0.3),
        skew=float(environment.get("SKEW") or 5_400),
        lease=float(environment.get("LEASE") or (30 if kills else 2)),
        mutant=environment.get("MUTANT", ""),
    )
