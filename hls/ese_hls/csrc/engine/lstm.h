// SPDX-License-Identifier: Apache-2.0
// The cell of an LSTM, by equations 1 to 6 of the ESE paper. Without peepholes it is the cell of Keras.
#ifndef ESE_LSTM_H
#define ESE_LSTM_H

#include "cell.h"

namespace ese {

// The LSTM of a design `C` that has a GRU, too. Its cells also give their gates i and f.
template <class C> struct LstmOf : C {
    static constexpr bool gru = false;
};
struct CellAndGates {
    constant_t c;
    sum_t h;
    FirstGates gates;
};
template <class C> struct CellOf {
    using type = Cell;
};
template <class C> struct CellOf<LstmOf<C>> {
    using type = CellAndGates;
};

inline void give_gates(Cell &, element_t, element_t) {}
inline void give_gates(CellAndGates &cell, element_t i, element_t f) {
    cell.gates.first = i;
    cell.gates.second = f;
}

// A cell in a design without a GRU.
template <class C>
std::enable_if_t<!C::gru, typename CellOf<C>::type> cell_of(const sum_t sums[gates], constant_t c_before,
                                                            const constant_t peephole[3], const Phase &phase,
                                                            const Lines &lines, const word_t table[3][table_size]) {
    ESE_INLINE
    using F = CellFormats<C>;
    const int set = format_set<C>(phase);
    sum_t see_i = 0, see_f = 0;
    if (phase.peepholes) {
        see_i =
            shift_left<sum_bits>(product<constant_bits, constant_bits>(peephole[0], c_before), phase.peephole_shift);
        see_f =
            shift_left<sum_bits>(product<constant_bits, constant_bits>(peephole[1], c_before), phase.peephole_shift);
    }
    element_t i = activate_in<GateOf<C>, sum_bits>(set, plus<sum_bits>(sums[0], see_i), sum_frac, lines.gate, table[0]);
    element_t f = activate_in<GateOf<C>, sum_bits>(set, plus<sum_bits>(sums[1], see_f), sum_frac, lines.gate, table[0]);
    factor_t<C> g = activate_in<CandidateOf<C>, sum_bits>(set, sums[2], sum_frac, lines.cell, table[1]);
    sum_t c = new_state<C>(product<element_bits, constant_bits>(f, c_before),
                           product<element_bits, F::factor_bits>(i, g), set);
    typename CellOf<C>::type cell;
    give_gates(cell, i, f);
    cell.c = quantize_in<StateOf<C>, sum_bits>(c, F::state_frac, set);
    sum_t see_o = 0;
    if (phase.peepholes)
        see_o = shift_left<sum_bits>(product<constant_bits, constant_bits>(peephole[2], cell.c), phase.peephole_shift);
    element_t o = activate_in<GateOf<C>, sum_bits>(set, plus<sum_bits>(sums[3], see_o), sum_frac, lines.gate, table[1]);
    factor_t<C> t = activate_in<CandidateOf<C>, sum_bits>(set, c, F::state_frac, lines.cell, table[2]);
    cell.h = product<element_bits, F::factor_bits>(o, t);
    return cell;
}

} // namespace ese

#endif
