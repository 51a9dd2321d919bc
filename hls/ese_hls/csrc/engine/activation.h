// SPDX-License-Identifier: Apache-2.0
// Sigmoid and tanh. The smooth ones use one table of tanh with linear interpolation; the hard ones are piecewise linear
// and exact (docs/reference/numerics.md).
#ifndef ESE_ACTIVATION_H
#define ESE_ACTIVATION_H

#include "types.h"

namespace ese {

constexpr int input_bits = table_log2 + segment_frac; // width of a table input: its segment and the position within it

// tanh of a magnitude on [0, 8), with `value_frac` fractional bits. It interpolates between the value at the beginning
// of a segment and the next one; a segment stores the first value and the step to the second.
inline uint_t<value_frac + 1> tanh_magnitude(uint_t<input_bits> magnitude, const word_t table[table_size]) {
    ESE_INLINE
    word_t segment = table[within<table_size>(magnitude >> segment_frac)];
    uint_t<value_frac> value = field(segment, 0, value_frac);
    uint_t<step_bits> step = field(segment, value_frac, step_bits);
    uint_t<segment_frac> rest = magnitude & ((1 << segment_frac) - 1);
    return value + ((uint_t<step_bits + segment_frac>(step) * rest) >> segment_frac);
}

// |x| with `input_frac` fractional bits, rounded down and saturated below 8. `frac`: fractional bits of x.
template <int W> uint_t<input_bits> table_input(int_t<W> x, int frac) {
    ESE_INLINE
    constexpr int most = (1 << input_bits) - 1;
    // The smallest x has no negative counterpart, so its bits are negated.
    uint_t<W> magnitude = x < 0 ? uint_t<W>(uint_t<W>(0) - uint_t<W>(x)) : uint_t<W>(x);
    if (frac >= input_frac) {
        uint_t<W> at = magnitude >> (frac - input_frac);
        return at > uint_t<W>(most) ? most : int(at);
    }
    uint_t<W> held = magnitude > uint_t<W>(most) ? uint_t<W>(most) : magnitude;
    uint_t<64> at = uint_t<64>(held) << (input_frac - frac);
    return at > uint_t<64>(most) ? most : int(at);
}

// tanh of x, with `value_frac` fractional bits. `frac`: fractional bits of x.
template <int W> int_t<22> signed_tanh(int_t<W> x, int frac, const word_t table[table_size]) {
    ESE_INLINE
    int_t<22> t = tanh_magnitude(table_input<W>(x, frac), table);
    return x < 0 ? int_t<22>(-t) : t;
}

// slope * x + offset, with `frac` + `line_frac` fractional bits. x has `frac` + `More` of them, and is first saturated
// to
// +-64, beyond which every hard activation is saturated anyway. The line is exact, or if x has more than `frac`, exact
// but for the last bit, which is set if any bit from there on is: no rounding needs to know more.
template <int W, int More> int_t<64> hard_line(int_t<W> x, int frac, const Line &line) {
    ESE_INLINE
    static_assert(W - More <= 48 && More <= 16, "each part of a held input, times a 16-bit slope, fits 64 bits");
    constexpr int below = (1 << More) - 1;
    int_t<64> limit = int_t<64>(64) << (frac + More);
    int_t<64> held = saturate<64>(x, -limit, limit);
    int_t<64> whole = held >> More;
    uint_t<32> rest = uint_t<32>(uint_t<64>(held) & below) * line.slope;
    int_t<64> last = (rest & below) != 0 ? 1 : 0;
    return (whole * line.slope + (int_t<64>(line.offset) << frac) + int_t<64>(rest >> More)) | last;
}

constexpr bool is_hard(Kind kind) {
    return kind == Kind::hard_tanh || kind == Kind::hard_sigmoid;
}

// The result of an activation, quantized to the format of `a`, whose smallest and largest codes are those of the
// function's end points. `straight` is the line of a hard one, with `frac` + `line_frac` fractional bits; `t` is tanh
// of x, or for a sigmoid of x/2, since sigmoid(x) is 1/2 + tanh(x/2) / 2.
inline activation_t activated(const Activation &a, int_t<64> straight, int frac, int_t<22> t) {
    ESE_INLINE
    if (is_hard(a.kind))
        return quantize<64>(straight, frac + line_frac, a.out);
    int halved = a.kind == Kind::sigmoid ? 1 : 0;
    return quantize<26>((halved << value_frac) + t, value_frac + halved, a.out);
}

} // namespace ese

#endif
