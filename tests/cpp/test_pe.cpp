// SPDX-License-Identifier: Apache-2.0
// Tests of a PE: gap and code of the entry in every slot, in sparse and full phases; padding and waits; addresses of
// entries; and products of each kind of weight.
#include "check.h"
#include "engine/pe.h"

using namespace ese;

template <Weights Kind, bool Full = false, int Window = 0> struct Of {
    static constexpr bool full_phases = Full;
    static constexpr int window = Window;
    static constexpr bool lstm = true;
    static constexpr bool gru = false;
    static constexpr int sets = 1;
    static constexpr Weights weights = Kind;
    static constexpr int gap_bits = Kind == Weights::ternary || Kind == Weights::int16 ? 5 : 4;
    static constexpr int pes = 1, units = 1, acc_bits = 36, acc_banks = 1;
    static constexpr Mode mode = Mode::stream;
    static constexpr int fifo_depth = 8, pointer_depth = 0, delta_depth = 0;
    static constexpr int vector_depth = 8;
};

// Unpack every slot of random words, as entries with gaps or as codes of a full phase.
template <Weights Kind, bool Full, int Window = 0> void slots() {
    using C = Of<Kind, Full, Window>;
    constexpr bool ternary = Kind == Weights::ternary;
    constexpr int width = Full ? Shape<C>::full_bits : Shape<C>::entry_bits, gap_bits = Full ? 0 : C::gap_bits;
    constexpr int per_word = Shape<C>::word_bits / width;
    CHECK_EQUAL(per_word, Full ? Shape<C>::codes_per_word : Shape<C>::entries_per_word);
    Random random(3);
    for (int i = 0; i < 1000; ++i) {
        unsigned long long word = random.bits(Shape<C>::word_bits) & ((1ull << Shape<C>::word_bits) - 1);
        if (i == 0)
            word = 0; // waits of all kinds but ternary, also where an entry is wide
        for (int slot = 0; slot < per_word; ++slot) {
            Entry<C> entry = Entry<C>::unpack(word, slot, Full);
            unsigned bits = (unsigned)(word >> (slot * width)) & ((1u << width) - 1);
            bool wait = Window != 0 && !Full && bits == (ternary ? 63 : 0);
            CHECK_EQUAL(entry.gap, wait ? 0 : bits % (1u << gap_bits));
            CHECK_EQUAL(entry.code, Full && ternary ? bits >> 1 : bits >> gap_bits);
            CHECK_EQUAL(entry.weight, !wait && (!ternary || (Full ? bits != 0 : bits % 32 != 31)));
            CHECK_EQUAL(entry.placed, Full || entry.weight);
            EntryAddress<C> at = EntryAddress<C>::unpack((unsigned)(i << Shape<C>::slot_bits) + slot);
            CHECK_EQUAL(at.word, i);
            CHECK_EQUAL(at.slot, slot);
            bool wraps = slot + 1 == per_word;
            CHECK_EQUAL(at.next(Full).word, i + wraps);
            CHECK_EQUAL(at.next(Full).slot, wraps ? 0 : slot + 1);
            CHECK_EQUAL(at.before(at), false);
            CHECK_EQUAL(at.before(at.next(Full)), true);
        }
        CHECK_EQUAL((Entry<C>::unpack(word, per_word, Full).code), 0);
    }
}

// If a column ends in a slot that the words of its phase do not have, it ends with that word.
void foreign_end() {
    using C = Of<Weights::ternary, true>;
    EntryAddress<C> at, end;
    at.word = 7, at.slot = 5; // a word has only three slots for entries with gaps
    end.word = 8, end.slot = 6;
    int steps = 0;
    for (; at.before(end); at = at.next(false))
        ++steps;
    CHECK_EQUAL(steps, 4);
    CHECK_EQUAL(at.word, 9);
}

// The code of an integer kind is the weight itself, in two's complement.
template <Weights Kind> void integers(int x) {
    using C = Of<Kind>;
    constexpr int sign = 1 << (Shape<C>::code_bits - 1);
    for (int code = 0; code < 2 * sign; ++code) {
        Entry<C> entry;
        entry.gap = 0;
        entry.code = code;
        Term<C> term = Term<C>::of(entry, x, nullptr, 0);
        CHECK_EQUAL(term.value, (long long)(code < sign ? code : code - 2 * sign) * x);
        CHECK_EQUAL(term.negative, code >= sign);
    }
}

int main() {
    slots<Weights::ternary, false>();
    slots<Weights::ternary, true>();
    slots<Weights::int4, false>();
    slots<Weights::int4, true>();
    slots<Weights::int8, false>();
    slots<Weights::int8, true>();
    slots<Weights::int12, false>();
    slots<Weights::int12, true>();
    slots<Weights::int16, false>();
    slots<Weights::int16, true>();
    slots<Weights::codebook4, false>();
    slots<Weights::codebook4, true>();
    slots<Weights::ternary, false, 8>();
    slots<Weights::ternary, true, 8>();
    slots<Weights::int4, false, 64>();
    slots<Weights::int16, false, 64>();
    slots<Weights::codebook4, true, 64>();
    foreign_end();
    static_assert(Shape<Of<Weights::int12>>::word_bits == 18, "16 bits of an entry fit one block RAM");
    static_assert(Shape<Of<Weights::int16>>::word_bits == 36, "21 bits take two");
    constant_t codebook[256] = {};
    codebook[16 + 5] = -32768;
    for (int x : {-32768, -1, 0, 1, 65535}) {
        Entry<Of<Weights::ternary>> minus = {3, 1, true, true}, plus = {3, 0, true, true};
        CHECK_EQUAL((Term<Of<Weights::ternary>>::of(minus, x, codebook, 0).value), -x);
        CHECK_EQUAL((Term<Of<Weights::ternary>>::of(plus, x, codebook, 0).value), x);
        integers<Weights::int4>(x);
        integers<Weights::int8>(x);
        integers<Weights::int12>(x);
        integers<Weights::int16>(x);
        Entry<Of<Weights::codebook4>> looked_up;
        looked_up.gap = 0;
        looked_up.code = 5;
        CHECK_EQUAL((Term<Of<Weights::codebook4>>::of(looked_up, x, codebook, 1).value), -32768ll * x);
    }
    return 0;
}
