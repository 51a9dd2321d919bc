// SPDX-License-Identifier: Apache-2.0
// What the cells of LSTM and GRU layers have in common: two gates, and a new state made of the old one and a candidate.
#ifndef ESE_CELL_H
#define ESE_CELL_H

#include "format_sets.h"

namespace ese {

// What the cell of a recurrent layer gives: an LSTM's new state c and its output before rounding; a GRU's new state
// before rounding, or r * h in the first stage of a GRU without `reset_after`.
struct Cell {
    constant_t c;
    sum_t h;
};

// The gates of the first two sums: i and f of an LSTM, z and r of a GRU.
struct FirstGates {
    element_t first, second;
};

// Widths and fractional bits of a cell's values, of which the sets have one.
template <class C> struct CellFormats {
    static constexpr int gate_frac = finest<GateOf<C>>();
    static constexpr int cell_frac = finest<CandidateOf<C>>();
    static constexpr int kept_frac = gate_frac + finest<StateOf<C>>(); // of a gate times the old state
    static constexpr int made_frac = gate_frac + cell_frac;            // of a gate times an activation of the cell
    static constexpr int state_frac = greater(kept_frac, made_frac);   // of the new state
    static constexpr int cell_bits = most_whole<CandidateOf<C>>() + cell_frac;
    static constexpr int factor_bits = greater(cell_bits, element_bits); // activation of the cell
    static constexpr int whole_bits = greater(most_whole<StateOf<C>>(), most_whole<CandidateOf<C>>()); // a GRU's state
    static constexpr int stored_frac = greater(finest<StateOf<C>>(), finest<OutputOf<C>>());

    static_assert(factor_bits <= 25, "an activation of the cell fits activation_t");
    static_assert(state_frac <= 40, "64 in the format of an unrounded state, times a slope, fits 64 bits");

    // How far a value with `frac` fractional bits is raised, so that no format needs more.
    static constexpr int raised(int frac) { return stored_frac > frac ? stored_frac - frac : 0; }
};

template <class C> using factor_t = int_t<CellFormats<C>::factor_bits>;

// The new state before it is rounded: a gate times the old state, and another one times the candidate.
template <class C> sum_t new_state(sum_t kept, sum_t made, int set) {
    ESE_INLINE
    using F = CellFormats<C>;
    return plus<sum_bits>(shift_left<sum_bits>(raised_by<StateOf<C>>(kept, set), F::state_frac - F::kept_frac),
                          shift_left<sum_bits>(made, F::state_frac - F::made_frac));
}

} // namespace ese

#endif
