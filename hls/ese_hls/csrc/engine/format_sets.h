// SPDX-License-Identifier: Apache-2.0
// Format sets: the recurrent layers of a network may differ in the formats of state and output, and in their
// activations, of which a design has up to four sets. There is one datapath: values of a set with fewer fractional bits
// than another one's are raised to the finest binary point, and roundings are those of the set.
#ifndef ESE_FORMAT_SETS_H
#define ESE_FORMAT_SETS_H

#include "activation.h"
#include "phase.h"

namespace ese {

// The set of a stage of cells. An image that names one which the design lacks gets the last.
template <class C> int format_set(const Phase &phase) {
    ESE_INLINE
    return C::sets == 1 || phase.format_set >= C::sets ? C::sets - 1 : int(phase.format_set);
}

constexpr int greater(int a, int b) {
    return a > b ? a : b;
}
constexpr Format format_of(const Format &format) {
    return format;
}
constexpr Format format_of(const Activation &activation) {
    return activation.out;
}

// What the sets of a design have one each of: the activations of gates, those of the candidate and of an LSTM's c, the
// formats of the state and of the output.
template <class C> struct GateOf {
    static constexpr int sets = C::sets;
    static constexpr Activation of(int set) { return C::gate(set); }
};
template <class C> struct CandidateOf {
    static constexpr int sets = C::sets;
    static constexpr Activation of(int set) { return C::cell(set); }
};
template <class C> struct StateOf {
    static constexpr int sets = C::sets;
    static constexpr Format of(int set) { return C::state(set); }
};
template <class C> struct OutputOf {
    static constexpr int sets = C::sets;
    static constexpr Format of(int set) { return C::output(set); }
};

// The most fractional bits of a set, from one of them on.
template <class Of> constexpr int finest(int set = 0) {
    return set + 1 == Of::sets ? format_of(Of::of(set)).frac
                               : greater(format_of(Of::of(set)).frac, finest<Of>(set + 1));
}

// The bits of a format before the binary point, in two's complement, and the most of a set, from one of them on.
constexpr int whole(const Format &format) {
    return format.bits - format.frac + (format.low < 0 ? 0 : 1);
}
template <class Of> constexpr int most_whole(int set = 0) {
    return set + 1 == Of::sets ? whole(format_of(Of::of(set)))
                               : greater(whole(format_of(Of::of(set))), most_whole<Of>(set + 1));
}

// Whether the activation of a set, from one of them on, is hard, or smooth.
template <class Of> constexpr bool any(bool hard, int set = 0) {
    return set < Of::sets && (is_hard(Of::of(set).kind) == hard || any<Of>(hard, set + 1));
}

// A value with the fractional bits of a set, raised to those of the finest.
template <class Of> sum_t raised_by(sum_t value, int set) {
    ESE_INLINE
    sum_t raised = value;
sets:
    for (int s = 0; s < Of::sets; ++s) {
        ESE_UNROLL
        if (set == s)
            raised = shift_left<sum_bits>(value, finest<Of>() - format_of(Of::of(s)).frac);
    }
    return raised;
}

// A value with `frac` fractional bits, rounded to the format of a set.
template <class Of, int W> int_t<W> quantize_in(int_t<W> value, int frac, int set) {
    ESE_INLINE
    int_t<W> code = quantize<W>(value, frac, format_of(Of::of(0)));
sets:
    for (int s = 1; s < Of::sets; ++s) {
        ESE_UNROLL
        if (set == s)
            code = quantize<W>(value, frac, format_of(Of::of(s)));
    }
    return code;
}

// The activation of a set, raised to the fractional bits of the finest. The table is read once, and a line computed
// once; only the rounding differs from set to set. x has `frac` + `More` fractional bits.
template <class Of, int W, int More = 0>
activation_t activate_in(int set, int_t<W> x, int frac, const Line &line, const word_t table[table_size]) {
    ESE_INLINE
    bool sigmoid = false;
kinds:
    for (int s = 0; s < Of::sets; ++s) {
        ESE_UNROLL
        sigmoid = sigmoid || (set == s && Of::of(s).kind == Kind::sigmoid);
    }
    // One fractional bit more halves the input of a sigmoid.
    int_t<64> straight = any<Of>(true) ? hard_line<W, More>(x, frac, line) : int_t<64>(0);
    int_t<22> t = any<Of>(false) ? signed_tanh<W>(x, frac + More + (sigmoid ? 1 : 0), table) : int_t<22>(0);
    activation_t code = 0;
sets:
    for (int s = 0; s < Of::sets; ++s) {
        ESE_UNROLL
        const Activation a = Of::of(s);
        if (set == s)
            code = shift_left<25>(activated(a, straight, frac, t), finest<Of>() - a.out.frac);
    }
    return code;
}

} // namespace ese

#endif
