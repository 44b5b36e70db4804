"""The key file is private, complete, and never replaced by accident."""

import base64
import json
import stat
from pathlib import Path

from dotdo_site import keys


def test_the_key_file_is_private_from_its_first_byte(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "keys.json"
    assert keys.ensure(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert [p.name for p in path.parent.iterdir()] == ["keys.json"]


def test_existing_keys_are_kept_because_secrets_depend_on_them(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    keys.ensure(path)
    before = path.read_text()
    assert not keys.ensure(path)
    assert path.read_text() == before


def test_a_file_of_an_earlier_release_gets_the_key_that_came_later_and_keeps_the_others(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    old = {name: value for name, value in keys.generate().items() if name != "AUDIT_SIGNING_KEY"}
    keys.write(path, old)
    assert not keys.ensure(path)
    found = json.loads(path.read_text())
    assert len(base64.b64decode(found.pop("AUDIT_SIGNING_KEY"), validate=True)) == 32
    assert found == old


def test_generated_keys_are_strong_and_different_each_time() -> None:
    one, two = keys.generate(), keys.generate()
    assert set(one) == {"SECRET_KEY", "API_KEY_PEPPER", "SECRETS_KEYS", "AUDIT_SIGNING_KEY"}
    assert not set(one.values()) & set(two.values())
    assert len(one["SECRET_KEY"]) >= 50
    name, _, encoded = one["SECRETS_KEYS"].partition(":")
    assert (name, len(base64.b64decode(encoded, validate=True))) == ("k1", 32)


def test_a_written_file_reads_back(tmp_path: Path) -> None:
    keys.write(tmp_path / "k.json", {"SECRET_KEY": "x"})
    assert json.loads((tmp_path / "k.json").read_text()) == {"SECRET_KEY": "x"}
