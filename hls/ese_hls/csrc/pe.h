// A processing element: one entry a cycle, from relative index to a term for an accumulator.
#ifndef ESE_PE_H
#define ESE_PE_H

#include "types.h"

namespace ese {

// One entry as it is stored: the gap in the low bits, the weight code above it.
template <class C> struct Entry {
    ap_uint<C::gap_bits> gap;
    ap_uint<Shape<C>::code_bits> code;

    // The entry in `slot` of a word.
    static Entry unpack(entry_word_t word, ap_uint<3> slot) {
        ESE_INLINE
        ap_uint<Shape<C>::entry_bits> bits = 0;
    slots:
        for (int s = 0; s < Shape<C>::entries_per_word; ++s) {
            ESE_UNROLL
            if (slot == s)
                bits = word >> (s * Shape<C>::entry_bits);
        }
        Entry entry;
        entry.gap = bits;
        entry.code = bits >> C::gap_bits;
        return entry;
    }

    // A ternary entry with an all-ones gap passes positions and carries no weight.
    bool padding() const { return C::weights == Weights::ternary && gap == (1 << C::gap_bits) - 1; }
};

// The product of a weight and an input, and whether it belongs to the negative sum (TTQ's Wn).
template <class C> struct Term {
    typename Shape<C>::acc_t value;
    bool negative;

    static Term of(const Entry<C> &entry, element_t x, const constant_t *codebook, ap_uint<4> book) {
        ESE_INLINE
        Term term;
        if (C::weights == Weights::ternary) {
            term.negative = entry.code != 0;
            term.value = term.negative ? ap_int<element_bits + 1>(-x) : ap_int<element_bits + 1>(x);
        } else if (C::weights == Weights::int4) {
            ap_int<4> weight = entry.code;
            term.negative = weight < 0;
            term.value = weight * x;
        } else {
            constant_t weight = codebook[ap_uint<8>(book * 16 + entry.code)];
            term.negative = weight < 0;
            term.value = weight * x;
        }
        return term;
    }
};

} // namespace ese

#endif
