"""`manage.py validate_workflow`: what a person with an editor sees."""

from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from tests.support.documents import HEAD

pytestmark = pytest.mark.usefixtures("handlers")


def shown(path: Path) -> tuple[str, str, int]:
    out = StringIO()
    try:
        call_command("validate_workflow", str(path), stdout=out)
    except CommandError as error:
        return out.getvalue(), str(error), error.returncode
    return out.getvalue(), "", 0


def test_a_sound_document_has_no_problems(tmp_path: Path) -> None:
    path = tmp_path / "sound.yaml"
    path.write_text(HEAD % ("sound", "1.0.0") + "do:\n  - first: {call: test-echo, with: {value: 1}}\n")
    assert shown(path) == (f"{path}: no problems\n", "", 0)


def test_every_problem_is_printed_with_its_pointer_and_the_end_is_one(tmp_path: Path) -> None:
    path = tmp_path / "broken.yaml"
    path.write_text(HEAD % ("broken", "1.0.0") + "do:\n  - a: {call: test-ehco}\n  - b: {wiat: PT5S}\n")
    text, error, code = shown(path)
    assert "/do/0/a/call there is no action `test-ehco`" in text
    assert "/do/1/b nothing says what this task does" in text
    assert "Did you mean `test-echo`?" in text
    assert (error, code) == (f"{path}: 2 problems", 1)


def test_a_file_that_is_no_document_is_told_with_line_and_column(tmp_path: Path) -> None:
    path = tmp_path / "duplicate.yaml"
    path.write_text("do: []\ndo: []\n")
    text, error, code = shown(path)
    assert "line 2, column 1: the key `do` is there twice" in text
    assert (error, code) == (f"{path}: 1 problem", 1)


def test_a_file_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    assert shown(tmp_path / "none.yaml")[1:] == (
        f"{tmp_path / 'none.yaml'} cannot be read: No such file or directory",
        1,
    )
    (tmp_path / "latin").write_bytes(b"a: \xe9")
    assert "byte 3 is not UTF-8" in shown(tmp_path / "latin")[1]


def test_several_files_are_checked_in_one_go(tmp_path: Path) -> None:
    texts = {"one": "do: []", "two": "do:\n  - a: {set: {}}\n", "three": "do:\n  - a: {set: {}, thn: end}\n"}
    paths = [tmp_path / f"{name}.yaml" for name in texts]
    for path, text in zip(paths, texts.values(), strict=True):
        path.write_text(HEAD % (path.stem, "1.0.0") + text)
    out = StringIO()
    with pytest.raises(CommandError) as error:
        call_command("validate_workflow", *map(str, paths), stdout=out)
    assert str(error.value) == f"{paths[0]}: 1 problem; {paths[2]}: 1 problem"
    assert f"{paths[1]}: no problems" in out.getvalue()
