"""A layer of neurons over time in Triton, forward and backward, around the step of one model (generated).

A program owns a tile of neurons and runs through all time steps with their states in registers. Neurons lie in rows
and columns, all of a row or all of a column in one channel, so that what gradients of parameters need is summed along
the other axis before they are written: one partial sum a program, added up outside, the same in every run.

Backward takes the time steps in blocks of INTERVAL, the last first. It starts a block from the states that forward
left at its beginning (none for the first block: they are zero), computes the states of the block again, and runs the
adjoint of each step, all in registers.
"""

import triton
import triton.language as tl

PER_LAYER = tl.constexpr(0)
PER_CHANNEL = tl.constexpr(1)
PER_STEP_CHANNEL = tl.constexpr(2)


@triton.jit
def _tile(rows, columns, channels, inner, CHANNEL_AXIS: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr):
    """Offsets of the tile's neurons, which of them exist, and their channels along CHANNEL_AXIS."""
    row = tl.program_id(0).to(tl.int64) * ROWS + tl.arange(0, ROWS)
    column = tl.program_id(1).to(tl.int64) * COLUMNS + tl.arange(0, COLUMNS)
    inside = (row < rows)[:, None] & (column < columns)[None, :]
    if CHANNEL_AXIS == 0:
        channel = (row % channels)[:, None]
    else:
        channel = ((column // inner) % channels)[None, :]
    return row[:, None] * columns + column[None, :], inside, channel


@triton.jit
def _lasting_coefficients(pointers, channel, GRANULARITY: tl.constexpr):
    """The coefficients that all time steps share, as scalars or along the channel axis; 0 for the others."""
    values = ()
    for c in tl.static_range(len(GRANULARITY)):
        if GRANULARITY[c] == PER_LAYER:
            values = values + (tl.load(pointers[c]).to(tl.float32),)
        elif GRANULARITY[c] == PER_CHANNEL:
            values = values + (tl.load(pointers[c] + channel).to(tl.float32),)
        else:
            values = values + (0.0,)
    return values


@triton.jit
def _coefficients_at(t, lasting, pointers, channel, channels, GRANULARITY: tl.constexpr):
    """All coefficients at time step t."""
    values = ()
    for c in tl.static_range(len(GRANULARITY)):
        if GRANULARITY[c] == PER_STEP_CHANNEL:
            values = values + (tl.load(pointers[c] + t * channels + channel).to(tl.float32),)
        else:
            values = values + (lasting[c],)
    return values


@triton.jit(do_not_specialize=["steps"])
def forward_kernel(
    x_ptr,
    output_ptr,
    checkpoint_ptr,
    coefficient_ptrs,
    steps,
    rows,
    columns,
    channels,
    inner,
    STEP: tl.constexpr,
    STATES: tl.constexpr,
    GRANULARITY: tl.constexpr,
    CHANNEL_AXIS: tl.constexpr,
    INTERVAL: tl.constexpr,
    SAVE: tl.constexpr,
    ROWS: tl.constexpr,
    COLUMNS: tl.constexpr,
):
    """Output of all time steps; with SAVE also the states before steps INTERVAL, 2·INTERVAL …"""
    offset, inside, channel = _tile(rows, columns, channels, inner, CHANNEL_AXIS, ROWS, COLUMNS)
    elements = tl.cast(rows, tl.int64) * columns
    states = ()
    for s in tl.static_range(STATES):
        states = states + (tl.zeros([ROWS, COLUMNS], tl.float32),)
    lasting = _lasting_coefficients(coefficient_ptrs, channel, GRANULARITY)
    x_row, output_row, checkpoint_row = x_ptr + offset, output_ptr + offset, checkpoint_ptr + offset
    for first in range(0, steps, INTERVAL):
        if SAVE:
            if first > 0:
                for s in tl.static_range(STATES):
                    tl.store(checkpoint_row, states[s], mask=inside)
                    checkpoint_row += elements
        for t in range(first, tl.minimum(first + INTERVAL, steps)):
            x = tl.load(x_row, mask=inside, other=0.0).to(tl.float32)
            coefficients = _coefficients_at(t, lasting, coefficient_ptrs, channel, channels, GRANULARITY)
            output, states = STEP(x, states, coefficients)
            tl.store(output_row, output, mask=inside)
            x_row += elements
            output_row += elements


@triton.jit(do_not_specialize=["steps"])
def backward_kernel(
    x_ptr,
    grad_output_ptr,
    grad_x_ptr,
    checkpoint_ptr,
    coefficient_ptrs,
    partial_ptrs,
    steps,
    rows,
    columns,
    channels,
    inner,
    STEP: tl.constexpr,
    ADJOINT: tl.constexpr,
    STATES: tl.constexpr,
    GRANULARITY: tl.constexpr,
    SUMS: tl.constexpr,
    CHANNEL_AXIS: tl.constexpr,
    INTERVAL: tl.constexpr,
    SAVE: tl.constexpr,
    EVEN: tl.constexpr,
    ROWS: tl.constexpr,
    COLUMNS: tl.constexpr,
):
    """Gradient of the input, and each program's part of the gradients of the coefficients."""
    offset, inside, channel = _tile(rows, columns, channels, inner, CHANNEL_AXIS, ROWS, COLUMNS)
    elements = tl.cast(rows, tl.int64) * columns
    grad_states = ()
    for s in tl.static_range(STATES):
        grad_states = grad_states + (tl.zeros([ROWS, COLUMNS], tl.float32),)
    sums = ()
    for c in tl.static_range(len(SUMS)):
        sums = sums + (tl.zeros([ROWS, COLUMNS], tl.float32),)
    lasting = _lasting_coefficients(coefficient_ptrs, channel, GRANULARITY)
    index, listed, length, program = _beside(rows, columns, CHANNEL_AXIS, ROWS, COLUMNS)
    blocks = (steps + INTERVAL - 1) // INTERVAL
    for done in range(blocks):
        first = (blocks - 1 - done) * INTERVAL
        checkpoint = checkpoint_ptr + offset + tl.cast(blocks - 2 - done, tl.int64) * STATES * elements
        states = ()
        for s in tl.static_range(STATES):
            if SAVE:
                states = states + (tl.load(checkpoint + s * elements, mask=inside & (first > 0), other=0.0),)
            else:
                states = states + (tl.zeros([ROWS, COLUMNS], tl.float32),)
        start = offset + tl.cast(first, tl.int64) * elements
        x_row = x_ptr + start
        xs = ()
        history = ()
        for k in tl.static_range(INTERVAL):
            there = inside if EVEN else inside & (first + k < steps)
            x = tl.load(x_row, mask=there, other=0.0).to(tl.float32)
            x_row += elements
            xs = xs + (x,)
            history = history + (states,)
            if k + 1 < INTERVAL:
                t = first + k if EVEN else tl.minimum(first + k, steps - 1)
                coefficients = _coefficients_at(t, lasting, coefficient_ptrs, channel, channels, GRANULARITY)
                output, states = STEP(x, states, coefficients)
        end = start + (INTERVAL - 1) * elements
        # parts of the gradients per step lie in [program beside the channel axis, step, index along it]
        place = (program * steps + first + INTERVAL - 1) * length + index
        grad_row, grad_x_row = grad_output_ptr + end, grad_x_ptr + end
        for k in tl.static_range(INTERVAL - 1, -1, -1):
            exists = True if EVEN else first + k < steps
            t = first + k if EVEN else tl.minimum(first + k, steps - 1)
            there = inside & exists
            grad = tl.load(grad_row, mask=there, other=0.0).to(tl.float32)
            coefficients = _coefficients_at(t, lasting, coefficient_ptrs, channel, channels, GRANULARITY)
            grad_x, new_grad_states, parts = ADJOINT(xs[k], history[k], coefficients, grad, grad_states)
            tl.store(grad_x_row, grad_x, mask=there)
            grad_row -= elements
            grad_x_row -= elements
            if EVEN:
                grad_states = new_grad_states
            else:
                grad_states = _choose(exists, new_grad_states, grad_states, STATES)
            added = ()
            for c in tl.static_range(len(SUMS)):
                part = tl.where(there, parts[c], 0.0)
                if SUMS[c] == PER_STEP_CHANNEL:
                    tl.store(partial_ptrs[c] + place, _sum_beside(part, CHANNEL_AXIS), mask=listed & exists)
                    added = added + (sums[c],)
                else:
                    added = added + (sums[c] + part,)
            sums = added
            place -= length
    _store_sums(partial_ptrs, sums, index, listed, length, program, SUMS, CHANNEL_AXIS)


@triton.jit(do_not_specialize=["steps", "window"])
def truncated_kernel(
    x_ptr,
    grad_output_ptr,
    grad_x_ptr,
    checkpoint_ptr,
    coefficient_ptrs,
    partial_ptrs,
    steps,
    window,
    rows,
    columns,
    channels,
    inner,
    ADJOINT: tl.constexpr,
    STATES: tl.constexpr,
    GRANULARITY: tl.constexpr,
    SUMS: tl.constexpr,
    CHANNEL_AXIS: tl.constexpr,
    ROWS: tl.constexpr,
    COLUMNS: tl.constexpr,
):
    """As `backward_kernel`, each output's gradient going back `window` steps at most.

    Forward left the states before every step but the first (an interval of 1). `grad_x_ptr` and the partial sums per
    step are float32 and start as zeros: each window adds its share.
    """
    offset, inside, channel = _tile(rows, columns, channels, inner, CHANNEL_AXIS, ROWS, COLUMNS)
    elements = tl.cast(rows, tl.int64) * columns
    sums = ()
    for c in tl.static_range(len(SUMS)):
        sums = sums + (tl.zeros([ROWS, COLUMNS], tl.float32),)
    lasting = _lasting_coefficients(coefficient_ptrs, channel, GRANULARITY)
    index, listed, length, program = _beside(rows, columns, CHANNEL_AXIS, ROWS, COLUMNS)
    for last in range(steps):
        grad_states = ()
        for s in tl.static_range(STATES):
            grad_states = grad_states + (tl.zeros([ROWS, COLUMNS], tl.float32),)
        for back in range(0, tl.minimum(window, last + 1)):
            t = last - back
            row = offset + tl.cast(t, tl.int64) * elements
            before = checkpoint_ptr + offset + tl.cast(t - 1, tl.int64) * STATES * elements
            states = ()
            for s in tl.static_range(STATES):
                states = states + (tl.load(before + s * elements, mask=inside & (t > 0), other=0.0),)
            x = tl.load(x_ptr + row, mask=inside, other=0.0).to(tl.float32)
            grad = tl.load(grad_output_ptr + row, mask=inside & (back == 0), other=0.0).to(tl.float32)
            coefficients = _coefficients_at(t, lasting, coefficient_ptrs, channel, channels, GRANULARITY)
            grad_x, grad_states, parts = ADJOINT(x, states, coefficients, grad, grad_states)
            tl.store(grad_x_ptr + row, tl.load(grad_x_ptr + row, mask=inside) + grad_x, mask=inside)
            added = ()
            for c in tl.static_range(len(SUMS)):
                part = tl.where(inside, parts[c], 0.0)
                if SUMS[c] == PER_STEP_CHANNEL:
                    place = partial_ptrs[c] + (program * steps + t) * length + index
                    total = tl.load(place, mask=listed) + _sum_beside(part, CHANNEL_AXIS)
                    tl.store(place, total, mask=listed)
                    added = added + (sums[c],)
                else:
                    added = added + (sums[c] + part,)
            sums = added
    _store_sums(partial_ptrs, sums, index, listed, length, program, SUMS, CHANNEL_AXIS)


@triton.jit
def _store_sums(partial_ptrs, sums, index, listed, length, program, SUMS: tl.constexpr, CHANNEL_AXIS: tl.constexpr):
    """Write the tile's sums over all time steps."""
    for c in tl.static_range(len(SUMS)):
        if SUMS[c] == PER_LAYER:
            number = tl.program_id(0) * tl.num_programs(1) + tl.program_id(1)
            tl.store(partial_ptrs[c] + number, tl.sum(tl.sum(sums[c], 1), 0))
        elif SUMS[c] == PER_CHANNEL:
            tl.store(partial_ptrs[c] + program * length + index, _sum_beside(sums[c], CHANNEL_AXIS), mask=listed)


@triton.jit
def _choose(condition, yes, no, COUNT: tl.constexpr):
    chosen = ()
    for i in tl.static_range(COUNT):
        chosen = chosen + (tl.where(condition, yes[i], no[i]),)
    return chosen


@triton.jit
def _beside(rows, columns, CHANNEL_AXIS: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr):
    """The tile's indices along the channel axis, which of them exist, the axis' length, and the program beside it."""
    if CHANNEL_AXIS == 0:
        index = tl.program_id(0).to(tl.int64) * ROWS + tl.arange(0, ROWS)
        length, program = rows, tl.program_id(1)
    else:
        index = tl.program_id(1).to(tl.int64) * COLUMNS + tl.arange(0, COLUMNS)
        length, program = columns, tl.program_id(0)
    return index, index < length, length, program.to(tl.int64)


@triton.jit
def _sum_beside(part, CHANNEL_AXIS: tl.constexpr):
    """Sum over the axis without channels."""
    return tl.sum(part, 1 - CHANNEL_AXIS)
