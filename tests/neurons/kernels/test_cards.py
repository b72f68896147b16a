"""The numbers of a predicted time by hand, and what is read from machine code, from lines of it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

import neurons
from neurons import UnknownName
from neurons.kernels.gpu import ahead_of_time, machine_code
from neurons.kernels.gpu.ahead_of_time import _bytes_moved
from neurons.kernels.gpu.cards import CARDS, card_of
from neurons.kernels.source import source_of

H100 = CARDS["cuda:90"]


@pytest.mark.parametrize(
    ("registers", "warps", "shared", "resident"),
    [
        (32, 4, 0, 64),  # all that the processor holds
        (33, 4, 0, 48),  # 40 registers × 128 threads: 12 programs
        (128, 4, 0, 16),  # 4 programs
        (255, 1, 0, 8),  # 256 × 32: 8 programs
        (32, 1, 0, 32),  # 32 programs, whatever they are
        (32, 4, 100 << 10, 8),  # two programs' memory
    ],
)
def test_warps_that_a_processor_holds(registers: int, warps: int, shared: int, resident: int) -> None:
    assert H100.resident_warps(registers, warps, shared) == resident


def test_bandwidth_by_littles_law() -> None:
    """132 processors × 8 warps × 32 lanes × 16 B in 0.7 µs are 0.772 TB/s; enough in flight is the memory's own."""
    assert H100.sustained(8, 16) == pytest.approx(132 * 8 * 32 * 16 / 0.7e-6)
    assert H100.sustained(64, 64) == H100.bandwidth == 3.35e12


def test_an_unknown_card_names_the_nearest() -> None:
    with pytest.raises(UnknownName, match="cuda:90"):
        card_of("cuda:9")


SASS = """
 /*0000*/ LDC R1, c[0x0][0x28] ;
 /*0010*/ @!P0 LDG.E.128 R8, desc[UR18][R16.64] ;
 /*0020*/ @!P0 LDG.E.128 R12, desc[UR18][R20.64] ;
 /*0030*/ LDG.E R40, desc[UR18][R22.64] ;
 /*0040*/ BAR.SYNC.DEFER_BLOCKING 0x0 ;
 /*0050*/ FADD R0, R0, R11 ;
 /*0060*/ LDG.E.128 R24, desc[UR18][R20.64] ;
 /*0070*/ @!P0 STG.E.128 desc[UR18][R30.64], R4 ;
 /*0080*/ FADD R0, R0, R14 ;
 /*0090*/ @P1 BRA 0x10 ;
 /*00a0*/ BAR.SYNC.DEFER_BLOCKING 0x0 ;
 /*00b0*/ STG.E desc[UR18][R30.64], R0 ;
 /*00c0*/ BRA 0xc0 ;
"""


def test_machine_code_of_nvidia(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two wide loads, the first awaited, a third, the second awaited: two on their way at most; one barrier of two.

    The third is still on its way when the loop begins again.
    """
    said = {"-sass": SASS, "--dump-resource-usage": "REG:42 STACK:8 SHARED:0 LOCAL:16"}
    monkeypatch.setattr(machine_code, "_tool", lambda cubin, option: said[option])
    code = machine_code.of_cuda(b"")
    assert (code.registers, code.spills) == (42, 24)
    assert code.widths() == [16, 16, 4, 16, 16, 4]
    assert code.barriers_in_loops() == 1
    assert code.loads_in_flight(16) == 3
    assert code.loads_in_flight(4) == 4


AHEAD = """
 /*0000*/ LDG.E.128 R8, desc[UR18][R16.64] ;
 /*0010*/ LDG.E.128 R12, desc[UR18][R16.64+0x10] ;
 /*0020*/ LDG.E.128 R20, desc[UR18][R16.64+0x20] ;
 /*0030*/ FADD R0, R0, R8 ;
 /*0040*/ LDG.E.128 R8, desc[UR18][R16.64] ;
 /*0050*/ FADD R0, R0, R12 ;
 /*0060*/ LDG.E.128 R12, desc[UR18][R16.64] ;
 /*0070*/ @P1 BRA 0x30 ;
"""


def test_what_is_loaded_for_the_next_turn_is_in_flight(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two of the loop, whatever is loaded before it; each awaited before the next but one."""
    said = {"-sass": AHEAD, "--dump-resource-usage": "REG:42"}
    monkeypatch.setattr(machine_code, "_tool", lambda cubin, option: said[option])
    assert machine_code.of_cuda(b"").loads_in_flight(16) == 2


GCN = """
.LBB0_1:
        global_load_dwordx4 v[2:5], v[0:1], off
        global_load_dwordx2 v[6:7], v[0:1], off offset:64
        s_waitcnt vmcnt(0)
        v_add_f32_e32 v9, v3, v8
        s_barrier
        global_store_dwordx4 v[0:1], v[2:5], off   ; v7
        global_load_ushort v11, v[0:1], off
        s_cbranch_scc1 .LBB0_1
        s_barrier
        s_endpgm
  .vgpr_count: 12
  .private_segment_fixed_size: 20
"""


def test_machine_code_of_amd() -> None:
    code = machine_code.of_amd(GCN)
    assert (code.registers, code.spills) == (12, 20)
    assert code.widths() == [16, 8, 16, 2]
    assert code.barriers_in_loops() == 1
    assert code.loads_in_flight(8) == 2


TTIR = """
    %c = tt.load %coefficient_ptrs.0 : !tt.ptr<f32>
    %x0 = tt.load %x_ptr : tensor<1x8x!tt.ptr<f16>>
    %states.0 = scf.for %first = %c0_i32 to %steps step %c4_i32 iter_args(%a = %b) -> (tensor<1x8xf32>)  : i32 {
      scf.if %15 {
        %saved = tt.addptr %checkpoint_ptr, %s : !tt.ptr<f32>, i64
        %28 = tt.splat %saved : !tt.ptr<f32> -> tensor<1x8x!tt.ptr<f32>>
        tt.store %28, %a, %9 : tensor<1x8x!tt.ptr<f32>>
      }
      %x = tt.splat %x_ptr : !tt.ptr<f16> -> tensor<1x8x!tt.ptr<f16>>
      %x1 = tt.load %x, %9, %z : tensor<1x8x!tt.ptr<f16>>
      %x2 = tt.load %x, %9, %z : tensor<1x8x!tt.ptr<f16>>
      %p = tt.addptr %partial_ptrs.1, %s : !tt.ptr<f32>, i32
      tt.store %p, %v : !tt.ptr<f32>
    }
    tt.store %partial_ptrs.0, %v : !tt.ptr<f32>
"""


def test_bytes_moved() -> None:
    """9 steps, two in a turn: 9 inputs of 16 B, 5 turns with a sum, 2 checkpoints of 32 B, a coefficient and a sum."""
    assert _bytes_moved(TTIR, steps=9, together=2, blocks=3) == (9 * 16 + 5 * 4 + 2 * 32 + 4 + 4, 3)


@pytest.mark.parametrize(
    ("kernel", "registers", "in_flight", "moved", "occupancy", "predicted"),
    [
        ("forward", 32, 2, 8, 1.0, 8 / (132 * 64 * 32 * 2 * 4 / 0.7e-6)),
        ("forward", 32, 4, 8, 1.0, 8 / 3.35e12),  # more on its way than the memory carries
        ("backward", 128, 2, 12, 0.25, 12 / (132 * 16 * 32 * 2 * 4 / 0.7e-6)),
    ],
)
def test_times_follow_from_what_the_compiler_said(
    kernel: str,
    registers: int,
    in_flight: int,
    moved: int,
    occupancy: float,
    predicted: float,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """LIF over 8 steps, 512 neurons a program, of 4 warps; of three accesses the narrowest is a coefficient's."""
    code = SimpleNamespace(
        registers=registers,
        spills=3,
        widths=lambda: [16, 2, 4],
        loads_in_flight=lambda width: {4: in_flight}[width],
        barriers_in_loops=lambda: 5,
    )
    compiled = SimpleNamespace(asm={"cubin": b"", "ttir": "text"}, metadata=SimpleNamespace(shared=6))
    counted: list[tuple[object, ...]] = []
    monkeypatch.setattr(ahead_of_time.triton, "compile", lambda *_, **__: compiled)
    monkeypatch.setattr(machine_code, "of_cuda", lambda cubin: code)
    monkeypatch.setattr(ahead_of_time, "_bytes_moved", lambda *own: (counted.append(own), (512 * 8 * moved, 1))[1])
    found = ahead_of_time.compile_kernel(source_of(neurons.get("lif")(8)), kernel, "cuda:90", 8, tile=512)
    assert counted == [("text", 8, 4 if kernel == "forward" else 8, 1)]
    assert found.tile == 512
    assert (found.registers, found.spills, found.shared_bytes, found.barriers) == (registers, 3, 6, 5)
    assert (found.access_bytes, found.loads_in_flight, found.occupancy) == (4, in_flight, occupancy)
    assert found.bytes_per_element_step == moved
    assert found.limit_ps == pytest.approx(1e12 * moved / 3.35e12)
    assert found.predicted_ps == pytest.approx(1e12 * predicted)


@pytest.mark.parametrize(("spilling", "tile"), [((), 512), ((512,), 256), ((512, 256), 128), ((512, 256, 128), 512)])
def test_a_smaller_tile_is_taken_where_a_larger_spills(
    spilling: tuple[int, ...], tile: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def compiled(*own: Any) -> Any:
        return SimpleNamespace(tile=own[4], spills=8 if own[4] in spilling else 0)

    monkeypatch.setattr(ahead_of_time, "_compiled", compiled)
    source = source_of(neurons.get("lif")(8))
    assert ahead_of_time.compile_kernel(source, "backward", "cuda:90", 8).tile == tile
    assert ahead_of_time.compile_kernel(source, "backward", "cuda:90", 8, tile=512).tile == 512
