// SPDX-License-Identifier: Apache-2.0
// Arithmetic of an element-wise unit: it turns accumulators into the state of a cell, or into outputs of rows.
#ifndef ESE_ELEMENTWISE_H
#define ESE_ELEMENTWISE_H

#include "gru.h"
#include "lstm.h"

namespace ese {

// The result of an item, which is a cell or a matrix row.
struct Result {
    int_t<64> exact;  // unrounded output
    element_t output; // output in its stored format
    element_t stored; // value for the first target: state h, projected state m, r * h, or the stored output of a row
    constant_t cell;  // state of a cell, c of an LSTM and h of a GRU; zero of r * h and of a row
};

// Row `g` of an item: the scaled sums of all banks plus the bias, with `sum_frac` fractional bits
// (docs/reference/numerics.md, "Sums"). To the fourth row of a GRU's cell only one matrix adds, whose shift stands
// where an LSTM has its peepholes'.
template <class C>
sum_t scaled_sum(const typename Shape<C>::acc_t acc[C::acc_banks], const scale_t scale[C::acc_banks], constant_t bias,
                 const Phase &phase, int g) {
    ESE_INLINE
    const bool alone = C::gru && g == gates - 1 && phase.stage != Stage::lstm;
    sum_t sum = shift_left<sum_bits>(bias, phase.bias_shift);
banks:
    for (int b = 0; b < C::acc_banks; ++b) {
        ESE_UNROLL
        // The scale is unsigned, so as a signed factor it needs one more bit.
        sum_t scaled = product<C::acc_bits, scale_bits + 1>(acc[b], scale[b]);
        sum = plus<sum_bits>(sum, shift_left<sum_bits>(scaled, alone ? phase.peephole_shift : phase.bank_shift[b]));
    }
    return sum;
}

// A cell in a design with both kinds: z is computed where i is, and r where f is, because a GRU has no peepholes. The
// rest is computed for both and then selected: with products in common, those of an LSTM would wait for the candidate
// of a GRU, and what comes of them would be written too late.
template <class C>
std::enable_if_t<C::lstm && C::gru, Cell> cell_of(const sum_t sums[gates], constant_t before,
                                                  const constant_t peephole[3], const Phase &phase, const Lines &lines,
                                                  const word_t table[3][table_size]) {
    ESE_INLINE
    CellAndGates lstm = cell_of<LstmOf<C>>(sums, before, peephole, phase, lines, table);
    Cell cell = gru_cell<C>(lstm.gates, sums, before, phase, lines, table[2]);
    cell.c = lstm.c;
    if (phase.stage == Stage::lstm)
        cell.h = lstm.h;
    return cell;
}

// How a value is rounded to what is stored: the fractional bits that are dropped, and the smallest and largest code.
struct Rounding {
    int dropped;
    element_t low, high;
};

inline element_t round_to(sum_t value, const Rounding &to) {
    ESE_INLINE
    return saturate<sum_bits>(round_half_even<sum_bits>(value, to.dropped), to.low, to.high);
}

// The h of a cell, or r * h, with the fractional bits of the layer instead of those of the finest sets.
template <class C> sum_t own_point(sum_t h, bool lstm, bool reset, int set) {
    ESE_INLINE
    using F = CellFormats<C>;
    sum_t own = h;
sets:
    for (int s = 0; s < C::sets; ++s) {
        ESE_UNROLL
        const int gate = F::gate_frac - C::gate(s).out.frac,
                  made = F::made_frac - C::gate(s).out.frac - C::cell(s).out.frac;
        const int state = F::state_frac - C::gate(s).out.frac - greater(C::state(s).frac, C::cell(s).out.frac);
        if (set == s)
            own = h >> (lstm ? made : reset ? gate : state);
    }
    return own;
}

// The results of a unit: that of a cell, or those of two rows of another matrix, whose sums are the first two. There
// are two roundings, one for each row. The h of a cell takes both: the first one to what the first target gets, the
// second one to the output. r * h is rounded as a row is.
template <class C> void leave(const Cell &cell, const sum_t sums[gates], const Phase &phase, Result results[2]) {
    ESE_INLINE
    using F = CellFormats<C>;
    const Rounding of_row = {int(phase.stored_shift), phase.low, phase.high};
    const bool lstm = !C::gru || (C::lstm && phase.stage == Stage::lstm), reset = resets<C>(phase);
    const int raised = F::raised(lstm ? F::made_frac : F::state_frac);
    const int frac = raised + (lstm ? F::made_frac : F::state_frac);
    const int set = format_set<C>(phase);
    const Format state = C::state(set), output = C::output(set);
    const Rounding of_state = {frac - state.frac, state.low, state.high};
    const Rounding of_output = {frac - output.frac, output.low, output.high};
    const sum_t h = own_point<C>(cell.h, lstm, reset, set);
    bool dense = phase.stage == Stage::dense;
    sum_t value[2];
    element_t code[2];
rows:
    for (int r = 0; r < 2; ++r) {
        ESE_UNROLL
        bool row = dense && (r == 0 || Shape<C>::paired), of_target = r == 0 && !phase.stores_output;
        value[r] = !row                        ? reset ? h : shift_left<sum_bits>(cell.h, raised)
                   : phase.relu && sums[r] < 0 ? sum_t(0)
                                               : sums[r];
        code[r] = round_to(value[r], row || reset ? of_row : of_target ? of_state : of_output);
    }
    results[0].exact = dense ? value[0] : h;
    results[0].stored = code[0];
    results[0].output = dense ? code[0] : code[1];
    results[0].cell = dense || reset ? constant_t(0) : lstm ? cell.c : constant_t(code[0]);
    results[1].exact = 0; // two rows are taken only if their exact sums do not leave
    results[1].stored = results[1].output = code[1];
    results[1].cell = 0;
}

} // namespace ese

#endif
