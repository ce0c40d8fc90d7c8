"""Dropout masks of many small networks at once: eight draws from one hash, the same whatever other networks there are.

A generator would give a member other draws when members or rows are added; a hash of (seed, step, unit, row) does not.
The hash is splitmix64's finalizer (Steele, Lea and Flood 2014), of which every output bit depends on every input bit,
of a sum of the four numbers times odd constants (leading digits of 2⁶⁴/φ and of multipliers of MurmurHash3, PCG and
xorshift64*), so that neighbouring units, steps and groups of rows do not collide. Its 64 bits serve eight rows, so a
chance of dropout is rounded to 1/256 (BatchedMLP scales by the rounded one, and the mean is exact). Read as int8, a
draw is uniform on −128 … 127 and kept if it is at least `256 p − 128`; clamping to [least − 1, least] and subtracting
least − 1 gives 0 or 1 in half the time of a comparison and a conversion. Plain twin: the same hash one draw at a time,
in Python's integers; both give the same bits. The order of the eight bytes is the machine's, little-endian.
"""

from __future__ import annotations

import torch
from torch import Tensor

from glioma_os.fast import is_plain

_STEP, _SEED, _UNIT, _GROUP = 0x1B873593, 0x9E3779B97F4A7C1, 0x5851F42D, 0x2545F4914F6CDD1
_SHIFTS_AND_FACTORS = ((30, -0x40A7B892E31B1A47), (27, -0x6B2FB644ECCEEE15))  # 0xBF58476D1CE4E5B9, 0x94D049BB133111EB
_LAST_SHIFT = 31
_MODULUS = 1 << 64


def draw_masks(seeds: Tensor, steps: range, units: int, rows: int, dropout: float) -> Tensor:
    """(steps, M, units, rows) int8, 0 with a chance of `dropout`, rounded to 1/256, else 1; `seeds` (M,) int64.

    Draws depend on seed, step, unit and row alone, not on other members, padding, or how many are drawn together.
    """
    if is_plain():
        return _draw_masks_singly(seeds, steps, units, rows, dropout)
    step, unit, group = (torch.arange(n, device=seeds.device) for n in (len(steps), units, -(-rows // 8)))
    of_step = (steps.start + step)[:, None, None, None] * _STEP
    of_member = seeds[:, None, None] * _SEED
    draws = mix(of_step + of_member + unit[:, None] * _UNIT + group * _GROUP).view(torch.int8)
    least = _least_kept(dropout)
    return draws.clamp_(least - 1, least).sub_(least - 1)[..., :rows]


def mix(state: Tensor) -> Tensor:
    """splitmix64's finalizer of int64 read as unsigned; changes nothing in place but its own results."""

    def shift_right(bits: Tensor, by: int) -> Tensor:
        return (bits >> by).bitwise_and_((1 << 64 - by) - 1)  # torch's shift brings the sign in

    for by, factor in _SHIFTS_AND_FACTORS:
        state = shift_right(state, by).bitwise_xor_(state).mul_(factor)
    return shift_right(state, _LAST_SHIFT).bitwise_xor_(state)


def _least_kept(dropout: float) -> int:
    return round(dropout * 256) - 128


def _mix_number(state: int) -> int:
    state %= _MODULUS
    for by, factor in _SHIFTS_AND_FACTORS:
        state = ((state >> by) ^ state) * factor % _MODULUS
    return (state >> _LAST_SHIFT) ^ state


def _draw_masks_singly(seeds: Tensor, steps: range, units: int, rows: int, dropout: float) -> Tensor:
    """The plain twin of `draw_masks`."""

    def keep(step: int, seed: int, unit: int, row: int) -> int:
        mixed = _mix_number(step * _STEP + seed * _SEED + unit * _UNIT + row // 8 * _GROUP)
        draw = mixed.to_bytes(8, "little")[row % 8]
        return int((draw if draw < 128 else draw - 256) >= _least_kept(dropout))

    members = seeds.tolist()
    kept = [[[[keep(t, m, u, r) for r in range(rows)] for u in range(units)] for m in members] for t in steps]
    return torch.tensor(kept, dtype=torch.int8, device=seeds.device).reshape(len(steps), len(members), units, rows)
