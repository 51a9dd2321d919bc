// A processing element: one entry a cycle, from relative index to a term for an accumulator.
#ifndef ESE_PE_H
#define ESE_PE_H

#include "types.h"

namespace ese {

// One entry: the gap in the low bits, the weight code above it; in a full phase the code alone.
template <class C> struct Entry {
    static constexpr bool ternary = C::weights == Weights::ternary;

    uint_t<C::gap_bits> gap;
    uint_t<Shape<C>::code_bits> code;
    bool weight; // carries a weight
    bool placed; // has a position of its own, behind those that the gap passes

    // The entry in `slot` of a word. A ternary one with an all-ones gap passes positions and carries no weight; a full
    // phase's ternary code is zero, 1 or -1 in two's complement.
    static Entry unpack(typename Shape<C>::entry_word_t word, int slot, bool full) {
        ESE_INLINE
        word_t chosen = pick<Shape<C>::entry_bits>(word, slot);
        Entry entry;
        entry.gap = field(chosen, 0, C::gap_bits);
        entry.code = field(chosen, C::gap_bits, Shape<C>::code_bits);
        entry.weight = entry.placed = !(ternary && entry.gap == (1 << C::gap_bits) - 1);
        if (C::full_phases && full) {
            word_t code = pick<Shape<C>::full_bits>(word, slot);
            entry.gap = 0;
            entry.code = ternary ? word_t(code >> 1) : code;
            entry.weight = !(ternary && code == 0);
            entry.placed = true;
        }
        return entry;
    }

  private:
    // Field `slot` of a word of fields of `Bits` bits; zero where the word has no such field.
    template <int Bits> static word_t pick(typename Shape<C>::entry_word_t word, int slot) {
        ESE_INLINE
        word_t chosen = 0;
        slots:
        for (int s = 0; s < Shape<C>::word_bits / Bits; ++s) {
            ESE_UNROLL
            if (slot == s)
                chosen = word_t(word >> (s * Bits)) & ((word_t(1) << Bits) - 1);
        }
        return chosen;
    }
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

    // The next one in a full phase, or in one of entries with gaps.
    EntryAddress next(bool full) const {
        ESE_INLINE
        EntryAddress address;
        int slots = C::full_phases && full ? Shape<C>::codes_per_word : Shape<C>::entries_per_word;
        bool wraps = slot + 1 >= slots;
        address.word = wraps ? address_t(word + 1) : word;
        address.slot = wraps ? uint_t<4>(0) : uint_t<4>(slot + 1);
        return address;
    }

    // Whether there are entries from here to `end`. In a design with full phases a hostile image's `end` may name a
    // slot that its phase has not; entries end with its word then.
    bool before(const EntryAddress &end) const {
        ESE_INLINE
        if (C::full_phases)
            return word < end.word || (word == end.word && slot < end.slot);
        return !(word == end.word && slot == end.slot);
    }
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
            constant_t level = C::weights == Weights::codebook4 ? codebook[book * codebook_levels + entry.code]
                                                                : constant_t((entry.code ^ sign) - sign);
            term.negative = level < 0;
            term.value = acc_t(level) * x;
        }
        return term;
    }
};

} // namespace ese

#endif
