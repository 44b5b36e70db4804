"""`make backup` and `make restore`: before anything is stopped or replaced, everything that can be checked is."""

import argparse
from dataclasses import dataclass
from pathlib import Path

from dotdo_site import backup
from dotdo_site.launch import instance, prepare
from dotdo_site.launch.checkout import BACKUPS, ROOT, VERSION, LaunchError, confirm, say, var_dir
from dotdo_site.postgres_programs import EmbeddedPostgresError

SHOWN = 10
ELSEWHERE = "If dotdo runs with DOTDO_VAR or DATABASE_URL set, set the same for this command."


def back_up(_: argparse.Namespace) -> int:
    """Write a backup and say where it is. Raises LaunchError where there is nothing to back up, BackupError."""
    with backup.installation(var_dir()) as source:
        if not backup.has_content(source):
            raise LaunchError(f"There is nothing in {_short(var_dir())} to back up. {ELSEWHERE}")
        path = backup.create(source, var_dir() / BACKUPS, VERSION)
        keys = "with the keys" if source.keys_file.exists() else "WITHOUT keys, which come from the environment"
    say(f"{path} ({path.stat().st_size:,} bytes, {keys}). Keep it as secret as the keys themselves.")
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
    replacing = Replacing()
    try:
        if not replacing.run(path, assume_yes=options.yes or stopped):
            return 1
    except (backup.BackupError, EmbeddedPostgresError, LaunchError) as error:
        raise LaunchError(f"{error}\n{replacing.how_far(stopped=stopped)}") from error
    said = "with its keys" if replacing.with_keys else "it held no keys: set those it was made with"
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


@dataclass
class Replacing:
    """A restore, and how far it came: what fails once the backup is in place has not undone that."""

    replaced: bool = False
    with_keys: bool = False

    def run(self, path: Path, *, assume_yes: bool) -> bool:
        """Restore and migrate; return False if somebody said no. Raises what `restore` explains."""
        with backup.installation(var_dir()) as source:
            if backup.has_content(source):
                if not confirm("Replace the present content of the database?", assume_yes=assume_yes):
                    return False
                kept = backup.create(source, var_dir() / BACKUPS, VERSION, suffix="-before-restore")
                say(f"The present content is kept in {kept}")
            prepare.forget()
            self.with_keys = backup.restore(source, path)
            self.replaced = True
            prepare.migrate()
        return True

    def how_far(self, *, stopped: bool) -> str:
        """Say what became of the content when something failed."""
        if self.replaced:
            return "The content was replaced by the backup's all the same. Once this is mended, go on with `make up`."
        again = " dotdo was stopped for this: start it again with `make up`." if stopped else ""
        return f"The restore failed, and nothing was replaced.{again}"
