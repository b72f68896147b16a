"""Where files of a user lie, by the variables of the XDG Base Directory Specification."""

from __future__ import annotations

from pathlib import Path

import pytest

from neurons import user_folders


@pytest.mark.parametrize(
    ("folder", "variable", "usual"),
    [
        (user_folders.cache, "XDG_CACHE_HOME", {"linux": ".cache", "darwin": "Library/Caches"}),
        (user_folders.data, "XDG_DATA_HOME", {"linux": ".local/share", "darwin": "Library/Application Support"}),
    ],
)
@pytest.mark.parametrize("system", ["linux", "darwin"])
def test_a_variable_comes_before_the_home(
    folder: object, variable: str, usual: dict[str, str], system: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert callable(folder)
    monkeypatch.setattr(user_folders.sys, "platform", system)
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.setenv(variable, "/elsewhere")
    assert folder() == Path("/elsewhere/neuron-suite")
    for unset in ("", "  "):
        monkeypatch.setenv(variable, unset)
        assert folder() == Path("/home/me") / usual[system] / "neuron-suite"
