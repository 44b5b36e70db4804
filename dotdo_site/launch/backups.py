"""`make backup` and `make restore`: before anything is stopped or replaced, everything that can be checked is."""

import argparse
from pathlib import Path

from dotdo_site import backup
from dotdo_site.launch import instance, prepare
from dotdo_site.launch.checkout import BACKUPS, ROOT, VERSION, LaunchError, confirm, say, var_dir
from dotdo_site.postgres_programs import EmbeddedPostgresError

SHOWN = 10


def back_up(_: argparse.Namespace) -> int:
    """Write a backup and say where it is."""
    with backup.installation(var_dir()) as source:
        path = backup.create(source, var_dir() / BACKUPS, VERSION)
        with_keys = "with" if source.keys_file.exists() else "WITHOUT keys, which come from the environment; not with"
    say(f"{path} ({path.stat().st_size:,} bytes, {with_keys} the keys). Keep it as secret as the keys themselves.")
    return 0


def restore(options: argparse.Namespace) -> int:
    """Replace the content of this installation with a backup's, after asking. Raises LaunchError, BackupError."""
    path = find(options.file)
    manifest = backup.check(path)
    stopped = False
    if instance.running(var_dir()) is not None:
        if not confirm("dotdo is running here. Stop it, and replace its content?", assume_yes=options.yes):
            return 1
        say("Stopping dotdo; work in flight may finish (up to 30 s) ...")
        stopped = instance.stop(var_dir())
    try:
        with_keys = _replace(path, assume_yes=options.yes or stopped)
    except (backup.BackupError, EmbeddedPostgresError) as error:
        again = " dotdo was stopped for this: start it again with `make up`." if stopped else ""
        raise LaunchError(f"{error}\nThe restore failed, and nothing was replaced.{again}") from error
    if with_keys is None:
        return 1
    said = "with its keys" if with_keys else "it held no keys: set those it was made with"
    say(f"Restored the backup of {manifest['made_at']} ({said}). Go on with `make up`.")
    say("Runs go on from there. What they did outside since then may be done again, with the same idempotency keys.")
    return 0


def find(file: str) -> Path:
    """Find the backup that somebody named, relative to here or to the checkout. Raises LaunchError, naming others."""
    path = next((p for p in (Path(file), ROOT / file) if p.is_file()), None)
    if path is None or not file:
        raise LaunchError((f"There is no file {file}." if file else "Name the backup to restore.") + _choices())
    return path


def _choices() -> str:
    folder = var_dir() / BACKUPS
    found = sorted(folder.glob("*.tar"), key=lambda path: path.stat().st_mtime, reverse=True)
    if not found:
        return f" {_short(folder)} holds no backups; `make backup` writes one."
    lines = [f"\n  make restore FILE={_short(path)}" for path in found[:SHOWN]]
    more = f"\n  and {len(found) - SHOWN} older ones in {_short(folder)}" if len(found) > SHOWN else ""
    return " The backups here, newest first:" + "".join(lines) + more


def _short(path: Path) -> Path:
    return path.relative_to(ROOT) if path.is_relative_to(ROOT) else path


def _replace(path: Path, *, assume_yes: bool) -> bool | None:
    """Restore and migrate; return whether the backup held keys, or None if somebody said no."""
    with backup.installation(var_dir()) as source:
        if backup.has_content(source):
            if not confirm("Replace the present content of the database?", assume_yes=assume_yes):
                return None
            kept = backup.create(source, var_dir() / BACKUPS, VERSION, suffix="-before-restore")
            say(f"The present content is kept in {kept}")
        prepare.forget()
        with_keys = backup.restore(source, path)
        prepare.migrate()
        return with_keys
