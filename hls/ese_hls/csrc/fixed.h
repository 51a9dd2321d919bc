// Fixed point: the project's one rounding rule (round half to even, then saturate), as docs/numerics.md states it.
#ifndef ESE_FIXED_H
#define ESE_FIXED_H

#include "tool.h"

namespace ese {

// A format is its number of fractional bits and its smallest and largest code.
struct Format {
    int bits, frac, low, high;
};

// floor(value / 2^shift), plus one where the rest is more than half, or half with an odd floor.
template <int W> ap_int<W> round_half_even(ap_int<W> value, ap_uint<6> shift) {
    ESE_INLINE
    ap_int<W> floor = value >> shift;
    ap_uint<W> rest = value - (floor << shift);
    ap_uint<W> half = (ap_uint<W>(1) << shift) >> 1;
    bool up = shift != 0 && (rest > half || (rest == half && (floor & 1) != 0));
    return up ? ap_int<W>(floor + 1) : floor;
}

template <int W> ap_int<W> saturate(ap_int<W> value, ap_int<W> low, ap_int<W> high) {
    ESE_INLINE
    return value < low ? low : value > high ? high : value;
}

// The code in format `to` of a value that has `frac` fractional bits.
template <int W> ap_int<W> quantize(ap_int<W> value, int frac, const Format &to) {
    ESE_INLINE
    ap_int<W> rounded = frac >= to.frac ? round_half_even<W>(value, frac - to.frac) : ap_int<W>(value << (to.frac - frac));
    return saturate<W>(rounded, to.low, to.high);
}

} // namespace ese

#endif
