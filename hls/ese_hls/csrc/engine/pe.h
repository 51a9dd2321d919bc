// SPDX-License-Identifier: Apache-2.0
// A processing element (PE): in each cycle it turns one entry into a term for an accumulator.
#ifndef ESE_PE_H
#define ESE_PE_H

#include "accumulators.h"
#include "phase.h"

namespace ese {

// One entry of a sparse matrix: the gap (relative index) in the low bits, the weight code above it. In a full phase an
// entry is only a code.
template <class C> struct Entry {
    static constexpr bool ternary = C::weights == Weights::ternary;

    uint_t<C::gap_bits> gap;
    uint_t<Shape<C>::code_bits> code;
    bool weight; // whether it carries a weight
    bool placed; // whether it takes a position itself, after those that the gap skips

    // The entry in `slot` of a word. A ternary entry whose gap is all ones is padding: it skips positions and carries
    // no weight. In a full phase a ternary code is 0, 1 or -1 in two's complement. In a design with an activation
    // window, an entry may be a wait, which skips nothing and carries no weight either.
    static Entry unpack(typename Shape<C>::entry_word_t word, int slot, bool full) {
        ESE_INLINE
        word_t chosen = pick<Shape<C>::entry_bits>(word, slot);
        Entry entry;
        entry.gap = field(chosen, 0, C::gap_bits);
        entry.code = field(chosen, C::gap_bits, Shape<C>::code_bits);
        entry.weight = entry.placed = !(ternary && entry.gap == (1 << C::gap_bits) - 1);
        if (C::window != 0 && (ternary ? !entry.placed && entry.code != 0 : chosen == 0)) {
            entry.gap = 0;
            entry.weight = entry.placed = false;
        }
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
    // Field `slot` of a word that is divided into fields of `Bits` bits; zero if the word has fewer fields.
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

// The address of an entry: a word of entry memory, and the slot within it.
template <class C> struct EntryAddress {
    address_t word;
    uint_t<4> slot;

    // The address that a column pointer stands for; it has the slot in its low bits.
    static EntryAddress unpack(pointer_t pointer) {
        ESE_INLINE
        EntryAddress address;
        address.word = word_t(pointer) >> Shape<C>::slot_bits;
        address.slot = field(pointer, 0, Shape<C>::slot_bits);
        return address;
    }

    // The address of the next entry; `full`: in a full phase, where a word holds more entries.
    EntryAddress next(bool full) const {
        ESE_INLINE
        EntryAddress address;
        int slots = C::full_phases && full ? Shape<C>::codes_per_word : Shape<C>::entries_per_word;
        bool wraps = slot + 1 >= slots;
        address.word = wraps ? address_t(word + 1) : word;
        address.slot = wraps ? uint_t<4>(0) : uint_t<4>(slot + 1);
        return address;
    }

    // Whether this address is before `end`. In a design with full phases, the `end` of a hostile image may name a slot
    // that the words of its phase do not have; the column then ends with that word.
    bool before(const EntryAddress &end) const {
        ESE_INLINE
        if (C::full_phases)
            return word < end.word || (word == end.word && slot < end.slot);
        return !(word == end.word && slot == end.slot);
    }
};

// A column on its way to a PE in skip mode: its entries there, and the activation that they multiply.
template <class C> struct Column {
    EntryAddress<C> begin, end;
    element_t x;
};

// The work of a PE in one iteration: an entry, its row, and the activation that it multiplies.
template <class C> struct Work {
    bool enabled;
    Entry<C> entry;
    address_t row;
    element_t x;
};

// The product of a weight and an activation, and whether the weight is negative. Negative weights may have a bank and a
// scale of their own (Wn of trained ternary quantization, TTQ).
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
            // The code of an integer kind is the weight in two's complement; that of a codebook is looked up.
            constexpr int sign = 1 << (Shape<C>::code_bits - 1);
            constant_t level = C::weights == Weights::codebook4 ? codebook[book * codebook_levels + entry.code]
                                                                : constant_t((entry.code ^ sign) - sign);
            term.negative = level < 0;
            term.value = acc_t(wrapping_t<C::acc_bits>(level) * x);
        }
        return term;
    }
};

// What a PE adds for its entry.
template <class C> Addition<C> multiply(const Work<C> &work, const constant_t *codebook, const Phase &phase) {
    ESE_INLINE
    Term<C> term = Term<C>::of(work.entry, work.x, codebook, phase.codebook);
    Addition<C> add;
    add.enabled = work.enabled;
    add.bank = term.negative ? phase.bank_negative : phase.bank_positive;
    add.row = work.row;
    add.term = term.value;
    return add;
}

} // namespace ese

#endif
