"""A layer of neurons over time in Triton, forward and backward, around the step of one model (generated).

A program owns a tile of neurons and runs through all time steps with their states in registers. Neurons lie in rows and
columns. Where a channel has many features a row is of one channel and a tile is part of a row, so that a coefficient is
one number of the program; else channels lie along the columns. What gradients of parameters need is summed over the
neurons of a channel before it is written: one partial sum a program, added up outside, the same in every run.

A memory address is one number of the program, which moves with the time step, and the tile's offsets, which do not: all
tensors keep one layout in registers, so nothing is exchanged between threads in the loop over time. An input is loaded
TOGETHER steps before it is used, right after the output of a step is stored: compilers move no load across a store, so
that many are on their way whatever the step computes.

Backward takes the time steps in blocks of INTERVAL, the last first. It starts a block from the states that forward
left at its beginning (none for the first block: they are zero), computes the states of the block again, and runs the
adjoint of each step, all in registers.

Arguments that all kernels share: sizes `rows`, `units` (of UNIT columns: 16 where rows allow it, so that the compiler
knows them to be aligned), `channels`, `inner` (features of a channel) and `steps`; CHANNELS says how channels lie
(ALONG_ROWS …), EVEN that no loop has a rest.
"""

import triton
import triton.language as tl

PER_LAYER = tl.constexpr(0)
PER_CHANNEL = tl.constexpr(1)
PER_STEP_CHANNEL = tl.constexpr(2)

ALONG_ROWS = tl.constexpr(0)
ALONG_COLUMNS = tl.constexpr(1)
ARE_COLUMNS = tl.constexpr(2)

SIZES = ["steps", "rows", "units", "channels", "inner"]


@triton.jit
def _place(columns, COLUMNS: tl.constexpr):
    """Row and column of the program's tile among the tiles."""
    across = tl.cast(tl.cdiv(columns, COLUMNS), tl.int32)
    return (tl.program_id(0) // across).to(tl.int64), (tl.program_id(0) % across).to(tl.int64)


@triton.jit
def _tile(rows, columns, channels, inner, CHANNELS: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr):
    """The tile's first neuron, offsets of all from it, which of them exist, their channels, neurons of a step."""
    row_tile, column_tile = _place(columns, COLUMNS)
    first_row, first_column = row_tile * ROWS, column_tile * COLUMNS
    left = tl.minimum(columns - first_column, COLUMNS).to(tl.int32)
    row, column = tl.arange(0, ROWS)[:, None], tl.arange(0, COLUMNS)[None, :]
    offset, inside = column, column < left
    if ROWS > 1:
        offset = row * columns.to(tl.int32) + column
        inside = inside & (row < (rows - first_row).to(tl.int32))
    if CHANNELS == ALONG_ROWS:
        channel = first_row % channels
    elif CHANNELS == ALONG_COLUMNS:
        channel = tl.broadcast_to(((first_column + column) // inner) % channels, [ROWS, COLUMNS])
    else:
        channel = tl.broadcast_to(first_column.to(tl.int32) + column, [ROWS, COLUMNS])
    elements = rows.to(tl.int64) * columns
    return first_row * columns + first_column, offset, inside, channel, elements


@triton.jit
def _zeros(COUNT: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr):
    values = ()
    for i in tl.static_range(COUNT):
        values = values + (tl.zeros([ROWS, COLUMNS], tl.float32),)
    return values


@triton.jit
def _zero_history(STEPS: tl.constexpr, STATES: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr):
    history = ()
    for k in tl.static_range(STEPS):
        history = history + (_zeros(STATES, ROWS, COLUMNS),)
    return history


@triton.jit
def _coefficient(pointer, channel, inside, CHANNELS: tl.constexpr):
    """One value of a channel: a number of the program, or one for each neuron."""
    if CHANNELS == ALONG_ROWS:
        return tl.load(pointer + channel).to(tl.float32)
    else:
        return tl.load(pointer + channel, mask=inside, other=0.0).to(tl.float32)


@triton.jit
def _lasting_coefficients(pointers, channel, inside, GRANULARITY: tl.constexpr, CHANNELS: tl.constexpr):
    """The coefficients that all time steps share; 0 for the others."""
    values = ()
    for c in tl.static_range(len(GRANULARITY)):
        if GRANULARITY[c] == PER_LAYER:
            values = values + (tl.load(pointers[c]).to(tl.float32),)
        elif GRANULARITY[c] == PER_CHANNEL:
            values = values + (_coefficient(pointers[c], channel, inside, CHANNELS),)
        else:
            values = values + (0.0,)
    return values


@triton.jit
def _at(t, lasting, pointers, channel, inside, stride, GRANULARITY: tl.constexpr, CHANNELS: tl.constexpr):
    """All coefficients at time step t; `stride` is the number of channels."""
    values = ()
    for c in tl.static_range(len(GRANULARITY)):
        if GRANULARITY[c] == PER_STEP_CHANNEL:
            values = values + (_coefficient(pointers[c] + tl.cast(t, tl.int64) * stride, channel, inside, CHANNELS),)
        else:
            values = values + (lasting[c],)
    return values


@triton.jit
def _inputs(pointer, first, steps, elements, offset, inside, COUNT: tl.constexpr, EVEN: tl.constexpr):
    """The inputs of COUNT steps from the step `first` on, as they lie in memory."""
    xs = ()
    for k in tl.static_range(COUNT):
        there = inside if EVEN else inside & (first + k < steps)
        xs = xs + (tl.load(pointer + k * elements + offset, mask=there, other=0.0),)
    return xs


@triton.jit(do_not_specialize=SIZES)
def forward_kernel(
    x_ptr,
    output_ptr,
    checkpoint_ptr,
    coefficient_ptrs,
    steps,
    rows,
    units,
    channels,
    inner,
    STEP: tl.constexpr,
    STATES: tl.constexpr,
    GRANULARITY: tl.constexpr,
    CHANNELS: tl.constexpr,
    UNIT: tl.constexpr,
    INTERVAL: tl.constexpr,
    SAVE: tl.constexpr,
    TOGETHER: tl.constexpr,
    EVEN: tl.constexpr,
    ROWS: tl.constexpr,
    COLUMNS: tl.constexpr,
):
    """Output of all time steps; with SAVE also the states before steps INTERVAL, 2·INTERVAL …

    INTERVAL is a multiple of TOGETHER.
    """
    columns = tl.cast(units, tl.int64) * UNIT
    base, offset, inside, channel, elements = _tile(rows, columns, channels, inner, CHANNELS, ROWS, COLUMNS)
    stride = columns if CHANNELS == ARE_COLUMNS else channels
    states = _zeros(STATES, ROWS, COLUMNS)
    lasting = _lasting_coefficients(coefficient_ptrs, channel, inside, GRANULARITY, CHANNELS)
    xs = _inputs(x_ptr + base, 0, steps, elements, offset, inside, TOGETHER, True)
    for first in range(0, steps, TOGETHER):
        if SAVE:
            if (first > 0) & (first % INTERVAL == 0):
                saved = checkpoint_ptr + base + tl.cast(first // INTERVAL - 1, tl.int64) * STATES * elements
                for s in tl.static_range(STATES):
                    tl.store(saved + s * elements + offset, states[s], mask=inside)
        start = base + tl.cast(first, tl.int64) * elements
        following = ()
        for k in tl.static_range(TOGETHER):
            there = inside if EVEN else inside & (first + k < steps)
            t = first + k if EVEN else tl.minimum(first + k, steps - 1)
            coefficients = _at(t, lasting, coefficient_ptrs, channel, inside, stride, GRANULARITY, CHANNELS)
            output, states = STEP(xs[k].to(tl.float32), states, coefficients)
            tl.store(output_ptr + start + k * elements + offset, output, mask=there)
            ahead = first + TOGETHER if EVEN else first + TOGETHER + k
            place = x_ptr + start + (TOGETHER + k) * elements + offset
            following = following + (tl.load(place, mask=inside & (ahead < steps), other=0.0),)
        xs = following


@triton.jit
def _states_of_block(
    first,
    states,
    x_ptr,
    tile,
    lasting,
    coefficient_ptrs,
    stride,
    steps,
    STEP: tl.constexpr,
    GRANULARITY: tl.constexpr,
    CHANNELS: tl.constexpr,
    INTERVAL: tl.constexpr,
    EVEN: tl.constexpr,
):
    """The inputs of a block of steps, and the states before each of them."""
    base, offset, inside, channel, elements = tile
    start = x_ptr + base + tl.cast(first, tl.int64) * elements
    loaded = _inputs(start, first, steps, elements, offset, inside, INTERVAL, EVEN)
    xs, history = (), (states,)
    for k in tl.static_range(INTERVAL):
        xs = xs + (loaded[k].to(tl.float32),)
    for k in tl.static_range(INTERVAL - 1):
        t = first + k if EVEN else tl.minimum(first + k, steps - 1)
        coefficients = _at(t, lasting, coefficient_ptrs, channel, inside, stride, GRANULARITY, CHANNELS)
        output, states = STEP(xs[k], states, coefficients)
        history = history + (states,)
    return xs, history


@triton.jit(do_not_specialize=SIZES)
def backward_kernel(
    x_ptr,
    grad_output_ptr,
    grad_x_ptr,
    checkpoint_ptr,
    coefficient_ptrs,
    partial_ptrs,
    steps,
    rows,
    units,
    channels,
    inner,
    STEP: tl.constexpr,
    ADJOINT: tl.constexpr,
    STATES: tl.constexpr,
    GRANULARITY: tl.constexpr,
    SUMS: tl.constexpr,
    CHANNELS: tl.constexpr,
    UNIT: tl.constexpr,
    INTERVAL: tl.constexpr,
    SAVE: tl.constexpr,
    TOGETHER: tl.constexpr,
    EVEN: tl.constexpr,
    ROWS: tl.constexpr,
    COLUMNS: tl.constexpr,
):
    """Gradient of the input, and each program's part of the gradients of the coefficients.

    The output's gradients are loaded TOGETHER steps before they are used, the first of a block before its inputs.
    """
    columns = tl.cast(units, tl.int64) * UNIT
    tile = _tile(rows, columns, channels, inner, CHANNELS, ROWS, COLUMNS)
    stride = columns if CHANNELS == ARE_COLUMNS else channels
    base, offset, inside, channel, elements = tile
    beside = _beside(rows, columns, CHANNELS, ROWS, COLUMNS)
    grad_states, sums = _zeros(STATES, ROWS, COLUMNS), _zeros(len(SUMS), ROWS, COLUMNS)
    lasting = _lasting_coefficients(coefficient_ptrs, channel, inside, GRANULARITY, CHANNELS)
    blocks = (steps + INTERVAL - 1) // INTERVAL
    for done in range(blocks):
        first = (blocks - 1 - done) * INTERVAL
        start = base + tl.cast(first, tl.int64) * elements
        grads = ()
        for k in tl.static_range(INTERVAL - 1, INTERVAL - 1 - TOGETHER, -1):
            there = inside if EVEN else inside & (first + k < steps)
            grads = grads + (tl.load(grad_output_ptr + start + k * elements + offset, mask=there, other=0.0),)
        states = _zeros(STATES, ROWS, COLUMNS)
        if SAVE:
            saved = checkpoint_ptr + base + tl.cast(blocks - 2 - done, tl.int64) * STATES * elements
            states = _loaded(saved, elements, offset, inside & (first > 0), STATES)
        xs, history = _zeros(INTERVAL, ROWS, COLUMNS), _zero_history(INTERVAL, STATES, ROWS, COLUMNS)
        if first < steps:  # always, which compilers do not know: the adjoint computes anew what would fill registers
            xs, history = _states_of_block(
                first, states, x_ptr, tile, lasting, coefficient_ptrs, stride, steps,
                STEP, GRANULARITY, CHANNELS, INTERVAL, EVEN,
            )  # fmt: skip
        for k in tl.static_range(INTERVAL - 1, -1, -1):
            exists = True if EVEN else first + k < steps
            t = first + k if EVEN else tl.minimum(first + k, steps - 1)
            there, at = inside & exists, start + k * elements
            grad = grads[INTERVAL - 1 - k].to(tl.float32)
            coefficients = _at(t, lasting, coefficient_ptrs, channel, inside, stride, GRANULARITY, CHANNELS)
            grad_x, new_grad_states, parts = ADJOINT(xs[k], history[k], coefficients, grad, grad_states)
            tl.store(grad_x_ptr + at + offset, grad_x, mask=there)
            if k >= TOGETHER:
                there = inside if EVEN else inside & (first + k - TOGETHER < steps)
                place = grad_output_ptr + at - TOGETHER * elements + offset
                grads = grads + (tl.load(place, mask=there, other=0.0),)
            grad_states = new_grad_states if EVEN else _choose(exists, new_grad_states, grad_states, STATES)
            sums = _added(sums, parts, partial_ptrs, there, exists, t, steps, beside, SUMS, CHANNELS, False)
    _store_sums(partial_ptrs, sums, beside, SUMS, CHANNELS)


@triton.jit(do_not_specialize=[*SIZES, "window"])
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
    units,
    channels,
    inner,
    ADJOINT: tl.constexpr,
    STATES: tl.constexpr,
    GRANULARITY: tl.constexpr,
    SUMS: tl.constexpr,
    CHANNELS: tl.constexpr,
    UNIT: tl.constexpr,
    ROWS: tl.constexpr,
    COLUMNS: tl.constexpr,
):
    """As `backward_kernel`, each output's gradient going back `window` steps at most.

    Forward left the states before every step but the first (an interval of 1). `grad_x_ptr` and the partial sums per
    step are float32 and start as zeros: each window adds its share. A thread reads back what it wrote itself.
    """
    columns = tl.cast(units, tl.int64) * UNIT
    base, offset, inside, channel, elements = _tile(rows, columns, channels, inner, CHANNELS, ROWS, COLUMNS)
    stride = columns if CHANNELS == ARE_COLUMNS else channels
    beside = _beside(rows, columns, CHANNELS, ROWS, COLUMNS)
    sums = _zeros(len(SUMS), ROWS, COLUMNS)
    lasting = _lasting_coefficients(coefficient_ptrs, channel, inside, GRANULARITY, CHANNELS)
    for last in range(steps):
        grad_states = _zeros(STATES, ROWS, COLUMNS)
        for back in range(0, tl.minimum(window, last + 1)):
            t = last - back
            at = base + tl.cast(t, tl.int64) * elements
            before = checkpoint_ptr + base + tl.cast(t - 1, tl.int64) * STATES * elements
            states = _loaded(before, elements, offset, inside & (t > 0), STATES)
            x = tl.load(x_ptr + at + offset, mask=inside, other=0.0).to(tl.float32)
            grad = tl.load(grad_output_ptr + at + offset, mask=inside & (back == 0), other=0.0).to(tl.float32)
            coefficients = _at(t, lasting, coefficient_ptrs, channel, inside, stride, GRANULARITY, CHANNELS)
            grad_x, grad_states, parts = ADJOINT(x, states, coefficients, grad, grad_states)
            place = grad_x_ptr + at + offset
            tl.store(place, tl.load(place, mask=inside) + grad_x, mask=inside)
            sums = _added(sums, parts, partial_ptrs, inside, True, t, steps, beside, SUMS, CHANNELS, True)
    _store_sums(partial_ptrs, sums, beside, SUMS, CHANNELS)


@triton.jit
def _loaded(pointer, elements, offset, mask, STATES: tl.constexpr):
    """The states of a checkpoint."""
    states = ()
    for s in tl.static_range(STATES):
        states = states + (tl.load(pointer + s * elements + offset, mask=mask, other=0.0),)
    return states


@triton.jit
def _choose(condition, yes, no, COUNT: tl.constexpr):
    chosen = ()
    for i in tl.static_range(COUNT):
        chosen = chosen + (tl.where(condition, yes[i], no[i]),)
    return chosen


@triton.jit
def _beside(rows, columns, CHANNELS: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr):
    """Where the program's sums belong: index along the channels, which of them exist, how many, and its own number.

    Sums lie in [programs with the same channels, index], those of each step in [programs, step, index].
    """
    row_tile, column_tile = _place(columns, COLUMNS)
    if CHANNELS == ALONG_ROWS:
        return row_tile, row_tile < rows, rows, column_tile
    else:
        index = column_tile * COLUMNS + tl.arange(0, COLUMNS)
        return index, index < columns, columns, row_tile


@triton.jit
def _added(
    sums,
    parts,
    partial_ptrs,
    there,
    exists,
    t,
    steps,
    beside,
    SUMS: tl.constexpr,
    CHANNELS: tl.constexpr,
    AGAIN: tl.constexpr,
):
    """The sums with the parts of one step, those of each step written; with AGAIN added to what was written before."""
    index, listed, length, program = beside
    added = ()
    for c in tl.static_range(len(SUMS)):
        part = tl.where(there, parts[c], 0.0)
        if SUMS[c] == PER_STEP_CHANNEL:
            place = partial_ptrs[c] + (program * steps + t) * length + index
            total = _sum_beside(part, CHANNELS)
            if AGAIN:
                total += tl.load(place, mask=listed, other=0.0)
            tl.store(place, total, mask=listed & exists)
            added = added + (sums[c],)
        else:
            added = added + (sums[c] + part,)
    return added


@triton.jit
def _store_sums(partial_ptrs, sums, beside, SUMS: tl.constexpr, CHANNELS: tl.constexpr):
    """Write the tile's sums over all time steps."""
    index, listed, length, program = beside
    for c in tl.static_range(len(SUMS)):
        if SUMS[c] == PER_LAYER:
            tl.store(partial_ptrs[c] + tl.program_id(0), tl.sum(tl.sum(sums[c], 1), 0))
        elif SUMS[c] == PER_CHANNEL:
            tl.store(partial_ptrs[c] + program * length + index, _sum_beside(sums[c], CHANNELS), mask=listed)


@triton.jit
def _sum_beside(part, CHANNELS: tl.constexpr):
    """Sum over the neurons of a channel."""
    if CHANNELS == ALONG_ROWS:
        return tl.sum(tl.sum(part, 1), 0)
    else:
        return tl.sum(part, 0)
