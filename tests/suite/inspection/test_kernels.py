"""The numbers of `suite kernels` by hand."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from neurons.kernels.gpu import ahead_of_time
from suite.inspection import kernels


@pytest.mark.parametrize(("target", "bandwidth"), [("cuda:90", 3.2e12), ("cuda:80", 2.0e12)])
def test_a_predicted_time_is_bytes_over_bandwidth(
    target: str, bandwidth: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """8 bytes a step at 3.2 TB/s: 2.5 ps."""
    found = SimpleNamespace(registers=32, spills=0, shared_bytes=0, bytes_per_element_step=8.0)
    monkeypatch.setattr(ahead_of_time, "BANDWIDTH", {target: bandwidth})
    monkeypatch.setattr(ahead_of_time, "compile_kernel", lambda *_: found)
    rows = kernels.resources(["lif"], [target], 8, 128)
    assert [row["predicted_ps_per_element_step"] for row in rows] == [8e12 / bandwidth] * 2
