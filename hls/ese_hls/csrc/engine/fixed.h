// SPDX-License-Identifier: Apache-2.0
// Fixed-point arithmetic with one rounding rule everywhere: round half to even, then saturate
// (docs/reference/numerics.md).
#ifndef ESE_FIXED_H
#define ESE_FIXED_H

#include "tool.h"

namespace ese {

// A fixed-point format: its width, its fractional bits, and its smallest and largest code.
struct Format {
    int bits, frac, low, high;
};

// The `width` bits of a word that start at bit `at`.
inline uint_t<32> field(uint_t<32> word, int at, int width) {
    ESE_INLINE
    return (word >> at) & ((uint_t<32>(1) << width) - 1);
}

inline bool bit(uint_t<32> word, int at) {
    return ((word >> at) & 1) != 0;
}

// The lowest W bits of a word, as a number in two's complement.
template <int W> int_t<W> signed_bits(uint_t<32> word) {
    ESE_INLINE
    return int_t<32>(uint_t<32>(word << (32 - W))) >> (32 - W);
}

// a + b, modulo 2^W (see wrapping_t).
template <int W> int_t<W> plus(int_t<W> a, int_t<W> b) {
    ESE_INLINE
    return int_t<W>(wrapping_t<W>(a) + wrapping_t<W>(b));
}

// a * b, exact, or modulo 2^W. Operands of type ap_int keep their widths: these decide how many DSPs the product takes,
// and not every tool recognises an operand that was only extended. Machine words are extended to the width of the
// result.
template <int A, int B, int W = A + B> int_t<W> product(int_t<A> a, int_t<B> b) {
    ESE_INLINE
    using wide_t = std::conditional_t<std::is_integral<int_t<A>>::value, wrapping_t<W>, int_t<A>>;
    return int_t<W>(wide_t(a) * b);
}

// value * 2^shift. The shift is done on an unsigned integer, because shifting a negative one left is undefined.
template <int W> int_t<W> shift_left(int_t<W> value, int shift) {
    ESE_INLINE
    return int_t<W>(uint_t<W>(value) << shift);
}

// value / 2^shift, rounded half to even: the floor, plus one if the rest is over a half, or a half and the floor odd.
template <int W> int_t<W> round_half_even(int_t<W> value, int shift) {
    ESE_INLINE
    int_t<W> floor = value >> shift;
    uint_t<W> whole = uint_t<W>(1) << shift;
    uint_t<W> rest = uint_t<W>(value) & uint_t<W>(whole - 1);
    uint_t<W> half = whole >> 1;
    bool up = shift != 0 && (rest > half || (rest == half && (floor & 1) != 0));
    return up ? int_t<W>(floor + 1) : floor;
}

template <int W> int_t<W> saturate(int_t<W> value, int_t<W> low, int_t<W> high) {
    ESE_INLINE
    return value < low ? low : value > high ? high : value;
}

// The code in format `to` of a value with `frac` fractional bits.
template <int W> int_t<W> quantize(int_t<W> value, int frac, const Format &to) {
    ESE_INLINE
    int_t<W> rounded =
        frac >= to.frac ? round_half_even<W>(value, frac - to.frac) : shift_left<W>(value, to.frac - frac);
    return saturate<W>(rounded, to.low, to.high);
}

} // namespace ese

#endif
