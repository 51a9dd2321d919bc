// A processing element: one entry a cycle, from relative index to a term for an accumulator.
#ifndef ESE_PE_H
#define ESE_PE_H

#include "types.h"

namespace ese {

// One entry as it is stored: the gap in the low bits, the weight code above it.
template <class C> struct Entry {
    static constexpr int bits = Shape<C>::entry_bits;

    uint_t<C::gap_bits> gap;
    uint_t<Shape<C>::code_bits> code;

    // The entry in `slot` of a word.
    static Entry unpack(typename Shape<C>::entry_word_t word, int slot) {
        ESE_INLINE
        word_t chosen = 0;
        slots:
        for (int s = 0; s < Shape<C>::entries_per_word; ++s) {
            ESE_UNROLL
            if (slot == s)
                chosen = word_t(word >> (s * bits)) & ((word_t(1) << bits) - 1);
        }
        Entry entry;
        entry.gap = field(chosen, 0, C::gap_bits);
        entry.code = field(chosen, C::gap_bits, Shape<C>::code_bits);
        return entry;
    }

    // A ternary entry with an all-ones gap passes positions and carries no weight.
    bool padding() const { return C::weights == Weights::ternary && gap == (1 << C::gap_bits) - 1; }
};

// Where an entry lies: a word of entry memory, and the slot in it.
template <class C> struct EntryAddress {
    address_t word;
    uint_t<4> slot;

    // A column pointer as it is stored: the slot in the low bits.
    static EntryAddress unpack(pointer_t pointer) {
        ESE_INLINE
        EntryAddress address;
        address.word = word_t(pointer) >> Shape<C>::slot_bits;
        address.slot = field(pointer, 0, Shape<C>::slot_bits);
        return address;
    }

    EntryAddress next() const {
        ESE_INLINE
        EntryAddress address;
        bool wraps = slot + 1 == Shape<C>::entries_per_word;
        address.word = wraps ? address_t(word + 1) : word;
        address.slot = wraps ? uint_t<4>(0) : uint_t<4>(slot + 1);
        return address;
    }

    bool operator==(const EntryAddress &other) const { return word == other.word && slot == other.slot; }
};

// What a PE does in one iteration: an entry, its row, and the activation that it multiplies.
template <class C> struct Work {
    bool enabled;
    Entry<C> entry;
    address_t row;
    element_t x;
};

// The product of a weight and an input, and whether it belongs to the negative sum (TTQ's Wn).
template <class C> struct Term {
    typename Shape<C>::acc_t value;
    bool negative;

    static Term of(const Entry<C> &entry, element_t x, const constant_t *codebook, int book) {
        ESE_INLINE
        using acc_t = typename Shape<C>::acc_t;
        Term term;
        if (C::weights == Weights::ternary) {
            term.negative = entry.code != 0;
            term.value = term.negative ? acc_t(-x) : acc_t(x);
        } else {
            // an integer is its own level, from two's complement; a codebook entry is looked up
            constexpr int sign = 1 << (Shape<C>::code_bits - 1);
            constant_t level = C::weights == Weights::codebook4 ? codebook[book * 16 + entry.code]
                                                                : constant_t((entry.code ^ sign) - sign);
            term.negative = level < 0;
            term.value = acc_t(level) * x;
        }
        return term;
    }
};

} // namespace ese

#endif
