// Arithmetic of an element-wise unit: it turns accumulators into h and c of an LSTM cell, or into outputs of rows.
#ifndef ESE_ELEMENTWISE_H
#define ESE_ELEMENTWISE_H

#include "activation.h"
#include "phase.h"

namespace ese {

// The result of an item, which is an LSTM cell or a matrix row.
struct Result {
    int_t<64> exact;  // unrounded output
    element_t output; // output in its stored format
    element_t stored; // value for the first target: state h, projected state m, or the stored output of a row
    constant_t cell;  // state c; zero if the item is a row
};

// The scaled sums of all banks plus the bias, with `sum_frac` fractional bits (docs/numerics.md, "Sums").
template <class C>
sum_t scaled_sum(const typename Shape<C>::acc_t acc[C::acc_banks], const scale_t scale[C::acc_banks], constant_t bias,
                 const Phase &phase) {
    ESE_INLINE
    sum_t sum = shift_left<sum_bits>(bias, phase.bias_shift);
banks:
    for (int b = 0; b < C::acc_banks; ++b) {
        ESE_UNROLL
        // The scale is unsigned, so as a signed factor it needs one more bit.
        sum_t scaled = product<C::acc_bits, scale_bits + 1>(acc[b], scale[b]);
        sum = plus<sum_bits>(sum, shift_left<sum_bits>(scaled, phase.bank_shift[b]));
    }
    return sum;
}

// The new state c of an LSTM cell, and its output before rounding, with `h_frac` fractional bits.
struct Cell {
    constant_t c;
    sum_t h;
};
template <class C> constexpr int h_frac = C::gate().out.frac + C::cell().out.frac;

// One LSTM cell by equations 1 to 6 of the ESE paper. Without peepholes it is the cell of Keras.
template <class C>
Cell lstm_cell(const sum_t sums[gates], constant_t c_before, const constant_t peephole[3], const Phase &phase,
               const Lines &lines, const word_t table[3][table_size]) {
    ESE_INLINE
    constexpr int forget_frac = C::gate().out.frac + C::state().frac;
    constexpr int candidate_frac = h_frac<C>;
    constexpr int c_frac = forget_frac > candidate_frac ? forget_frac : candidate_frac;
    constexpr int cell_bits = C::cell().out.bits + (C::cell().out.low < 0 ? 0 : 1);
    constexpr int factor_bits = cell_bits > element_bits ? cell_bits : element_bits; // of an activation of the cell
    static_assert(factor_bits <= 25, "an activation of the cell fits activation_t");
    static_assert(c_frac <= 40, "64 in the format of an unrounded c, times a slope, fits 64 bits");
    sum_t see_i = 0, see_f = 0;
    if (phase.peepholes) {
        see_i =
            shift_left<sum_bits>(product<constant_bits, constant_bits>(peephole[0], c_before), phase.peephole_shift);
        see_f =
            shift_left<sum_bits>(product<constant_bits, constant_bits>(peephole[1], c_before), phase.peephole_shift);
    }
    element_t i = activate<sum_bits>(plus<sum_bits>(sums[0], see_i), sum_frac, C::gate(), lines.gate, table[0]);
    element_t f = activate<sum_bits>(plus<sum_bits>(sums[1], see_f), sum_frac, C::gate(), lines.gate, table[0]);
    int_t<factor_bits> g = activate<sum_bits>(sums[2], sum_frac, C::cell(), lines.cell, table[1]);
    sum_t c =
        plus<sum_bits>(shift_left<sum_bits>(product<element_bits, constant_bits>(f, c_before), c_frac - forget_frac),
                       shift_left<sum_bits>(product<element_bits, factor_bits>(i, g), c_frac - candidate_frac));
    Cell cell;
    cell.c = quantize<sum_bits>(c, c_frac, C::state());
    sum_t see_o = 0;
    if (phase.peepholes)
        see_o = shift_left<sum_bits>(product<constant_bits, constant_bits>(peephole[2], cell.c), phase.peephole_shift);
    element_t o = activate<sum_bits>(plus<sum_bits>(sums[3], see_o), sum_frac, C::gate(), lines.gate, table[1]);
    int_t<factor_bits> t = activate<sum_bits>(c, c_frac, C::cell(), lines.cell, table[2]);
    cell.h = product<element_bits, factor_bits>(o, t);
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

// The results of a unit: that of an LSTM cell, or those of two rows of another matrix, whose sums are the first two.
// There are two roundings, one for each row. The h of a cell takes both: the first one to what the first target gets,
// the second one to the output.
template <class C> void leave(const Cell &cell, const sum_t sums[gates], const Phase &phase, Result results[2]) {
    ESE_INLINE
    constexpr int state_frac = C::state().frac, output_frac = C::output().frac;
    constexpr int stored_frac = state_frac > output_frac ? state_frac : output_frac;
    constexpr int raised = stored_frac > h_frac<C> ? stored_frac - h_frac<C> : 0; // so that no format needs more bits
    const Rounding of_row = {int(phase.stored_shift), phase.low, phase.high};
    const Rounding of_state = {h_frac<C> + raised - state_frac, C::state().low, C::state().high};
    const Rounding of_output = {h_frac<C> + raised - output_frac, C::output().low, C::output().high};
    bool dense = phase.stage == Stage::dense;
    sum_t value[2];
    element_t code[2];
rows:
    for (int r = 0; r < 2; ++r) {
        ESE_UNROLL
        bool row = dense && (r == 0 || Shape<C>::paired), of_target = r == 0 && !phase.stores_output;
        value[r] = !row ? shift_left<sum_bits>(cell.h, raised) : phase.relu && sums[r] < 0 ? sum_t(0) : sums[r];
        code[r] = round_to(value[r], row ? of_row : of_target ? of_state : of_output);
    }
    results[0].exact = dense ? value[0] : cell.h;
    results[0].stored = code[0];
    results[0].output = dense ? code[0] : code[1];
    results[0].cell = dense ? constant_t(0) : cell.c;
    results[1].exact = 0; // two rows are taken only if their exact sums do not leave
    results[1].stored = results[1].output = code[1];
    results[1].cell = 0;
}

} // namespace ese

#endif
