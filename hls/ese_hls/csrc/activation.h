// Sigmoid and tanh: one table of tanh with linear interpolation, or exact piecewise linear forms (docs/numerics.md).
#ifndef ESE_ACTIVATION_H
#define ESE_ACTIVATION_H

#include "types.h"

namespace ese {

constexpr int segment_frac = 13; // bits of a position within one table segment
constexpr int value_frac = 19;   // fractional bits of a table value
constexpr int input_frac = 20;   // fractional bits of a table input: 1/128 a segment

// tanh of a magnitude on [0, 8), saturating, by the segment's value and slope; 19 fractional bits.
inline ap_uint<20> tanh_magnitude(ap_uint<23> magnitude, const word_t table[table_size]) {
    ESE_INLINE
    word_t segment = table[ap_uint<table_log2>(magnitude >> segment_frac)];
    ap_uint<value_frac> value = segment;
    ap_uint<13> slope = segment >> value_frac;
    ap_uint<segment_frac> rest = magnitude;
    return value + ap_uint<13>(ap_uint<26>(slope * rest) >> segment_frac);
}

// |x| with 20 fractional bits, rounded down and held below 8.
template <int W> ap_uint<23> table_input(ap_int<W> x, int frac) {
    ESE_INLINE
    ap_uint<W> magnitude = x < 0 ? ap_uint<W>(-x) : ap_uint<W>(x);
    ap_uint<W + input_frac> wide = magnitude;
    ap_uint<W + input_frac> at = frac >= input_frac ? ap_uint<W + input_frac>(wide >> (frac - input_frac))
                                                    : ap_uint<W + input_frac>(wide << (input_frac - frac));
    return at >= (1 << 23) ? ap_uint<23>((1 << 23) - 1) : ap_uint<23>(at);
}

// slope * x + offset, exact: x is first held to +-64, beyond which every hard activation is saturated.
template <int W> ap_int<56> hard_line(ap_int<W> x, int frac, const Line &line) {
    ESE_INLINE
    ap_int<W> limit = ap_int<W>(1) << (frac + 6 < W - 1 ? frac + 6 : W - 2);
    ap_int<W> held = saturate<W>(x, -limit, limit);
    return ap_int<56>(held * line.slope) + (ap_int<56>(line.offset) << frac);
}

// The quantized activation of x, which has `frac` fractional bits.
template <int W>
ap_int<18> activate(ap_int<W> x, int frac, const Activation &a, const Line &line, const word_t table[table_size]) {
    ESE_INLINE
    if (a.kind == Kind::hard_tanh || a.kind == Kind::hard_sigmoid)
        return quantize<56>(hard_line<W>(x, frac, line), frac + 15, a.out);
    // sigmoid(x) = 1/2 + tanh(x/2) / 2
    bool sigmoid = a.kind == Kind::sigmoid;
    ap_int<22> t = tanh_magnitude(table_input<W>(x, frac + (sigmoid ? 1 : 0)), table);
    ap_int<22> y = x < 0 ? ap_int<22>(-t) : t;
    return sigmoid ? quantize<22>(ap_int<22>((1 << value_frac) + y), value_frac + 1, a.out)
                   : quantize<22>(y, value_frac, a.out);
}

} // namespace ese

#endif
