"""Code that cannot be found or imported is named together with the variable that names it."""

from pathlib import Path

import pytest
from pytest_django import Settings

from actions import registry

CASES = {
    "absent": (None, "there is no module 'absent'"),
    "needs_more": (
        "import not_installed_anywhere\n",
        "'needs_more' cannot be imported: ModuleNotFoundError: No",
    ),
    "wrong_syntax": ("def :\n", "'wrong_syntax' cannot be imported: SyntaxError"),
    "wrong_code": ("\nraise ValueError('broken')\n", "'wrong_code' cannot be imported: ValueError: broken ("),
}


@pytest.mark.parametrize("name", CASES)
def test_a_module_that_cannot_be_imported_names_the_variable(
    name: str, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, words = CASES[name]
    if source is not None:
        (tmp_path / f"{name}.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    settings.ACTION_MODULES = [name]
    with pytest.raises(registry.DiscoveryError) as caught:
        registry.discover()
    assert f"DOTDO_ACTION_MODULES: {words}" in str(caught.value)
    assert (f"{name}.py:2" in str(caught.value)) == (name == "wrong_code")
