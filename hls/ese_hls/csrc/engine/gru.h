// SPDX-License-Identifier: Apache-2.0
// The cell of a GRU, as in Keras. Its sums are those of z and r, and the input's and the recurrent part of the
// candidate.
#ifndef ESE_GRU_H
#define ESE_GRU_H

#include "cell.h"

namespace ese {

// The cell whose gates z and r are given; one value is looked up. With `reset_after` r multiplies the recurrent sum.
// Without, the first of two stages gives r * h, which has gone through the matrix before the second one.
template <class C>
Cell gru_cell(const FirstGates &given, const sum_t sums[gates], constant_t h_before, const Phase &phase,
              const Lines &lines, const word_t table[table_size]) {
    ESE_INLINE
    using F = CellFormats<C>;
    constexpr int gate_frac = F::gate_frac, one = 1 << gate_frac; // a gate is between 0 and 1
    const int set = format_set<C>(phase);
    static_assert(gate_frac >= 0 && gate_frac <= 16, "a sum times a gate fits 64 bits");
    static_assert(F::whole_bits + F::stored_frac <= sum_bits, "a new state, raised for its output, fits a sum");
    constexpr int candidate_bits = sum_bits + gate_frac; // the encoder proves that its two parts need no more together
    element_t reset = phase.stage == Stage::gru ? given.second : element_t(one);
    int_t<candidate_bits> candidate =
        plus<candidate_bits>(shift_left<candidate_bits>(sums[2], gate_frac),
                             product<element_bits, sum_bits, candidate_bits>(reset, sums[3]));
    factor_t<C> g = activate_in<CandidateOf<C>, candidate_bits, gate_frac>(set, candidate, sum_frac, lines.cell, table);
    bool resets = phase.stage == Stage::reset;
    sum_t kept = product<element_bits, constant_bits>(resets ? given.second : given.first, h_before);
    sum_t h = new_state<C>(kept, product<element_bits, F::factor_bits>(element_t(one - given.first), g), set);
    Cell cell;
    cell.c = 0; // h is the state, and is rounded as an output
    cell.h = resets ? kept : h;
    return cell;
}

// A cell in a design without an LSTM.
template <class C>
std::enable_if_t<!C::lstm, Cell> cell_of(const sum_t sums[gates], constant_t h_before, const constant_t[3],
                                         const Phase &phase, const Lines &lines, const word_t table[2][table_size]) {
    ESE_INLINE
    FirstGates given;
    const int set = format_set<C>(phase);
    given.first = activate_in<GateOf<C>, sum_bits>(set, sums[0], sum_frac, lines.gate, table[0]);
    given.second = activate_in<GateOf<C>, sum_bits>(set, sums[1], sum_frac, lines.gate, table[0]);
    return gru_cell<C>(given, sums, h_before, phase, lines, table[1]);
}

} // namespace ese

#endif
