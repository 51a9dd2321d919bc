"""The smallest design that holds a network."""

from __future__ import annotations

from ese_hls.encoder import fill, shape_of
from ese_hls.schedule import banks_needed
from ese_host.design import ACC_BITS, SCAN_WIDTH, Design, Mode
from ese_host.errors import UnsupportedError
from ese_host.fixed import Fixed
from ese_host.network import Activation, Lstm, Network
from ese_host.phases import Phase

_NO_LSTM = (Fixed(16, 4), Fixed(16, 1), Activation("sigmoid", Fixed(16, 0, False)), Activation("tanh", Fixed(16, 1)))


def choose_design(
    network: Network,
    *,
    pes: int,
    gap_bits: int = 5,
    acc_banks: int | None = None,
    cells_per_cycle: int | None = None,
    clock_mhz: int = 100,
    mode: Mode = "stream",
    fifo_depth: int = 8,
) -> Design:
    """The design whose memories just hold the network, depths rounded up to powers of two.

    Raises:
        UnsupportedError: two LSTM layers differ in formats or activations, or an output is wider than 16 bits.
    """
    banks = banks_needed(network) if acc_banks is None else acc_banks
    units = 2 - pes % 2 if cells_per_cycle is None else cells_per_cycle
    packed = fill(network, pes, gap_bits, units, banks, mode)
    weights = network.layers[0].kernel.kind
    state, output, gate, cell = _lstm_formats(network)

    def depth(needed: int, least: int = 2) -> int:
        return max(least, 1 << (needed - 1).bit_length())

    phases: list[Phase] = [p.phase for p in packed.plan.phases]
    return Design(
        weights=weights,
        gap_bits=gap_bits,
        pes=pes,
        cells_per_cycle=units,
        acc_bits=max(ACC_BITS[weights], packed.acc_bits),
        acc_banks=banks,
        entry_depth=max(1, packed.entries.shape[1]),
        group_depth=depth(packed.plan.groups),
        vector_depth=depth(max(packed.plan.vector_words), SCAN_WIDTH if mode == "skip" else 2),
        param_depth=depth(-(-len(packed.scales) // units)),
        cell_depth=depth(max(1, -(-len(packed.peepholes) // units))),
        phases=len(phases),
        source=network.source,
        state=state,
        output=output,
        gate=gate,
        cell=cell,
        clock_mhz=clock_mhz,
        mode=mode,
        fifo_depth=fifo_depth,
        pointer_depth=depth(packed.pointers.shape[1], SCAN_WIDTH) if mode == "skip" else 0,
        delta_depth=depth(packed.plan.delta_words, SCAN_WIDTH) if packed.plan.delta_words else 0,
    )


def _lstm_formats(network: Network) -> tuple[Fixed, Fixed, Activation, Activation]:
    """State, output, gate and cell activation that all LSTM layers share."""
    chosen = _NO_LSTM
    first: str | None = None
    for layer in network.layers:
        if not isinstance(layer, Lstm):
            continue
        output = layer.exact_output if layer.output is None else layer.output
        last_exact = layer is network.layers[-1] and layer.output is None
        if output.bits > 16 and not last_exact:
            raise UnsupportedError(
                f"layer {layer.name!r}: its output has {output.bits} bits; 16 are stored between layers: use 8-bit "
                "activations, or put QActivation('quantized_bits(16, 0, alpha=1)') behind it"
            )
        stored = output if output.bits <= 16 else _NO_LSTM[1]
        found = (layer.state, stored, shape_of(layer.gate), shape_of(layer.cell))
        if first is not None and found != chosen:
            raise UnsupportedError(
                f"layer {layer.name!r}: its formats {found} differ from those of layer {first!r}, {chosen}; one engine "
                "has one of each: use the same quantizers in all LSTM layers"
            )
        first, chosen = layer.name, found
    return chosen
