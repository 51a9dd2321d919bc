// Accumulators: two sets, so that the PEs fill one while the element-wise stage drains the other.
#ifndef ESE_ACCUMULATORS_H
#define ESE_ACCUMULATORS_H

#include "types.h"

namespace ese {

// LUTRAM of [set][bank][PE][row mod 4][row div 4]: a cell's four gate rows are read in one cycle.
template <class C> struct Accumulators {
    using acc_t = typename Shape<C>::acc_t;

    acc_t ram[2][C::acc_banks][C::pes][gates][C::group_depth];

    // A read-add-write takes more than one cycle: the two last sums of each PE are forwarded. The tag says which word a
    // sum belongs to: row, set, bank, and whether there was one.
    struct Last {
        uint_t<20> tag;
        acc_t value;
    } last[C::pes][2];

    Accumulators() {
        ESE_PARTITION(ram, 1)
        ESE_PARTITION(ram, 2)
        ESE_PARTITION(ram, 3)
        ESE_PARTITION(ram, 4)
        ESE_LUTRAM(ram)
        ESE_PARTITION(last, 0)
    }

    // Every word zero: the state before the first image.
    void clear() {
    words:
        for (int w = 0; w < C::group_depth; ++w) {
        pes:
            for (int p = 0; p < C::pes; ++p) {
                ESE_UNROLL
            rows:
                for (int g = 0; g < gates; ++g) {
                    ESE_UNROLL
                banks:
                    for (int b = 0; b < C::acc_banks; ++b) {
                        ESE_UNROLL
                        ram[0][b][p][g][w] = 0;
                        ram[1][b][p][g][w] = 0;
                    }
                }
            }
        }
    forwards:
        for (int p = 0; p < C::pes; ++p) {
            ESE_UNROLL
            last[p][0].tag = last[p][1].tag = 0;
        }
    }

    // A word's sum so far: forwarded where one of the last two iterations wrote it, else as stored.
    static acc_t latest(const Last forward[2], uint_t<20> tag, acc_t stored) {
        ESE_INLINE
        return forward[0].tag == tag ? forward[0].value : forward[1].tag == tag ? forward[1].value : stored;
    }

    // PE `p` adds `term` to its row. Called in every iteration, so that what is forwarded is never older than two.
    template <int Set> void add(int p, bool enabled, uint_t<2> bank, address_t row, acc_t term) {
        ESE_INLINE
        int word_bank = within<C::acc_banks>(bank);
        uint_t<20> tag = row | Set << 16 | word_bank << 17 | 1 << 19;
        acc_t &at = ram[Set][word_bank][p][row & (gates - 1)][within<C::group_depth>(row >> gates_log2)];
        acc_t sum = latest(last[p], tag, at) + term;
        if (enabled)
            at = sum;
        last[p][1] = last[p][0];
        last[p][0].tag = enabled ? tag : uint_t<20>(0);
        last[p][0].value = sum;
    }

    // Read row `gate` of a group, all banks, and clear it unless its sums persist.
    template <int Set> void drain(int p, int gate, address_t group, bool persist, acc_t value[C::acc_banks]) {
        ESE_INLINE
    banks:
        for (int b = 0; b < C::acc_banks; ++b) {
            ESE_UNROLL
            acc_t &at = ram[Set][b][p][gate][within<C::group_depth>(group)];
            value[b] = at;
            at = persist ? at : acc_t(0);
        }
    }
};

} // namespace ese

#endif
