// Entries: gap and code of every slot, and where they lie; products of each kind of weight; padding.
#include "check.h"
#include "pe.h"

using namespace ese;

template <Weights Kind> struct Of {
    static constexpr Weights weights = Kind;
    static constexpr int gap_bits = Kind == Weights::ternary ? 5 : 4, pes = 1, units = 1, acc_bits = 36, acc_banks = 1;
    static constexpr Mode mode = Mode::stream;
    static constexpr int fifo_depth = 8, pointer_depth = 0, delta_depth = 0;
    static constexpr int vector_depth = 8;
};

template <Weights Kind> void slots() {
    using C = Of<Kind>;
    Random random(3);
    for (int i = 0; i < 1000; ++i) {
        unsigned word = (unsigned)(random.bits(18) & 0x3FFFF);
        for (int slot = 0; slot < Shape<C>::entries_per_word; ++slot) {
            Entry<C> entry = Entry<C>::unpack(word, slot);
            unsigned bits = word >> (slot * Shape<C>::entry_bits);
            CHECK_EQUAL(entry.gap, bits % (1u << C::gap_bits));
            CHECK_EQUAL(entry.code, (bits >> C::gap_bits) % (1u << Shape<C>::code_bits));
            EntryAddress<C> at = EntryAddress<C>::unpack((unsigned)(i << Shape<C>::slot_bits) + slot);
            CHECK_EQUAL(at.word, i);
            CHECK_EQUAL(at.slot, slot);
            bool wraps = slot + 1 == Shape<C>::entries_per_word;
            CHECK_EQUAL(at.next().word, i + wraps);
            CHECK_EQUAL(at.next().slot, wraps ? 0 : slot + 1);
            CHECK_EQUAL(entry.padding(), Kind == Weights::ternary && bits % 32 == 31);
        }
    }
}

int main() {
    slots<Weights::ternary>();
    slots<Weights::int4>();
    slots<Weights::codebook4>();
    constant_t codebook[256] = {};
    codebook[16 + 5] = -32768;
    for (int x : {-32768, -1, 0, 1, 65535}) {
        Entry<Of<Weights::ternary>> minus = {3, 1}, plus = {3, 0};
        CHECK_EQUAL((Term<Of<Weights::ternary>>::of(minus, x, codebook, 0).value), -x);
        CHECK_EQUAL((Term<Of<Weights::ternary>>::of(plus, x, codebook, 0).value), x);
        for (int code = 0; code < 16; ++code) {
            Entry<Of<Weights::int4>> entry;
            entry.gap = 0;
            entry.code = code;
            Term<Of<Weights::int4>> term = Term<Of<Weights::int4>>::of(entry, x, codebook, 0);
            CHECK_EQUAL(term.value, (code < 8 ? code : code - 16) * x);
            CHECK_EQUAL(term.negative, code >= 8);
        }
        Entry<Of<Weights::codebook4>> looked_up;
        looked_up.gap = 0;
        looked_up.code = 5;
        CHECK_EQUAL((Term<Of<Weights::codebook4>>::of(looked_up, x, codebook, 1).value), -32768ll * x);
    }
    return 0;
}
