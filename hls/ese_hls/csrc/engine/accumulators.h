// SPDX-License-Identifier: Apache-2.0
// The accumulators come in two sets: the PEs fill one set while the element-wise stage drains the other.
#ifndef ESE_ACCUMULATORS_H
#define ESE_ACCUMULATORS_H

#include "types.h"

namespace ese {

// From a write of an accumulator to the first read of the same word it takes at least `add_distance` iterations. A PE's
// own last sums are forwarded over this distance; between filling and draining, the interlocks of stages.h and
// sequencer.h keep it. So HLS may put up to one stage less between the read and the write.

// What a PE adds to one of its accumulators.
template <class C> struct Addition {
    bool enabled;
    uint_t<2> bank;
    address_t row;
    typename Shape<C>::acc_t term;
};

// The row of a PE that is drained, and whether it is cleared.
struct Drained {
    bool clears;
    address_t row;
};

// A sum that a PE has made. The tag names its word by row and bank, and has a valid bit.
template <class C> struct Sum {
    uint_t<19> tag;
    typename Shape<C>::acc_t value;
};

template <class C> constexpr int accumulator_rows = gates * C::group_depth; // of each PE

// The accumulators in LUTRAM, as [set][bank][PE][row]: a plain array, because HLS takes no statement of a dependence
// about a member of a struct.
template <class C>
using Accumulators = stored_t<typename Shape<C>::acc_t>[2][C::acc_banks][C::pes][accumulator_rows<C>];

// Stands where the array is defined.
#define ESE_ACCUMULATORS(array)                                                                                        \
    ESE_PARTITION(array, 1)                                                                                            \
    ESE_PARTITION(array, 2)                                                                                            \
    ESE_PARTITION(array, 3)                                                                                            \
    ESE_LUTRAM(array)

// Set every word to zero, as it is before the first image.
template <class C> void clear(Accumulators<C> &ram) {
words:
    for (int w = 0; w < accumulator_rows<C>; ++w) {
    pes:
        for (int p = 0; p < C::pes; ++p) {
            ESE_UNROLL
        banks:
            for (int b = 0; b < C::acc_banks; ++b) {
                ESE_UNROLL
                ram[0][b][p][w] = 0;
                ram[1][b][p][w] = 0;
            }
        }
    }
}

// The current sum of a word: the forwarded one if one of the last iterations made it, otherwise the stored one.
template <class C>
typename Shape<C>::acc_t latest(const Sum<C> made[add_distance - 1], uint_t<19> tag, typename Shape<C>::acc_t stored) {
    ESE_INLINE
    typename Shape<C>::acc_t value = stored;
forward:
    for (int age = add_distance - 2; age >= 0; --age) {
        ESE_UNROLL
        if (made[age].tag == tag)
            value = made[age].value;
    }
    return value;
}

// One iteration of PE `p` in all its RAMs: it adds to set `filled`, and a row of all banks of the other set is read
// into `drained`. Each RAM has one read and one write, whose operands are chosen before.
template <class C>
void accumulate(Accumulators<C> &ram, int p, bool filled, const Addition<C> &add, const Drained &drain,
                Sum<C> made[add_distance - 1], typename Shape<C>::acc_t drained[C::acc_banks]) {
    ESE_INLINE
    using acc_t = typename Shape<C>::acc_t;
    constexpr int rows = accumulator_rows<C>;
    const int added = within<rows>(add.row), shown = within<rows>(drain.row);
    const int at[2] = {filled ? shown : added, filled ? added : shown};
    acc_t stored[2][C::acc_banks];
    ESE_PARTITION(stored, 0)
read_sets:
    for (int s = 0; s < 2; ++s) {
        ESE_UNROLL
    read_banks:
        for (int b = 0; b < C::acc_banks; ++b) {
            ESE_UNROLL
            stored[s][b] = ram[s][b][p][at[s]];
        }
    }
    int bank = within<C::acc_banks>(add.bank);
    uint_t<19> tag = add.row | bank << 16 | 1 << 18;
    acc_t sum = plus<C::acc_bits>(latest<C>(made, tag, stored[filled ? 1 : 0][bank]), add.term);
write_sets:
    for (int s = 0; s < 2; ++s) {
        ESE_UNROLL
        bool fills = filled == (s != 0);
    write_banks:
        for (int b = 0; b < C::acc_banks; ++b) {
            ESE_UNROLL
            if (fills ? add.enabled && bank == b : drain.clears)
                ram[s][b][p][at[s]] = fills ? sum : acc_t(0);
        }
    }
results:
    for (int b = 0; b < C::acc_banks; ++b) {
        ESE_UNROLL
        drained[b] = stored[filled ? 0 : 1][b];
    }
age:
    for (int age = add_distance - 2; age > 0; --age) {
        ESE_UNROLL
        made[age] = made[age - 1];
    }
    made[0].tag = add.enabled ? tag : uint_t<19>(0);
    made[0].value = sum;
}

} // namespace ese

#endif
