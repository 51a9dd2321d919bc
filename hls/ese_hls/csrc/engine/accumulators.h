// The accumulators come in two sets: the PEs fill one set while the element-wise stage drains the other.
#ifndef ESE_ACCUMULATORS_H
#define ESE_ACCUMULATORS_H

#include "types.h"

namespace ese {

// The accumulators in LUTRAM, as [set][bank][PE][row mod 4][row div 4]. The rows modulo 4 are in separate memories, so
// that the four gate rows of a cell are read in one cycle.
template <class C> struct Accumulators {
    using acc_t = typename Shape<C>::acc_t;

    stored_t<acc_t> ram[2][C::acc_banks][C::pes][gates][C::group_depth];

    // The last two sums of each PE. Reading, adding and writing take more than one cycle, so these sums are forwarded
    // to the next additions. The tag names the word that a sum belongs to by row, set and bank, and has a valid bit.
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

    // Set every word to zero, as it is before the first image.
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

    // The current sum of a word: the forwarded one if the last two iterations wrote it, otherwise the stored one.
    static acc_t latest(const Last forward[2], uint_t<20> tag, acc_t stored) {
        ESE_INLINE
        return forward[0].tag == tag ? forward[0].value : forward[1].tag == tag ? forward[1].value : stored;
    }

    // Add `term` to a row of PE `p`. This must be called in every iteration, even if it is not enabled, so that the
    // forwarded sums are those of exactly the last two iterations.
    template <int Set> void add(int p, bool enabled, uint_t<2> bank, address_t row, acc_t term) {
        ESE_INLINE
        int word_bank = within<C::acc_banks>(bank);
        uint_t<20> tag = row | Set << 16 | word_bank << 17 | 1 << 19;
        stored_t<acc_t> &at = ram[Set][word_bank][p][row & (gates - 1)][within<C::group_depth>(row >> gates_log2)];
        acc_t sum = plus<C::acc_bits>(latest(last[p], tag, acc_t(at)), term);
        if (enabled)
            at = sum;
        last[p][1] = last[p][0];
        last[p][0].tag = enabled ? tag : uint_t<20>(0);
        last[p][0].value = sum;
    }

    // Read all banks of row `gate` in a group of four rows, and clear them unless the sums persist.
    template <int Set> void drain(int p, int gate, address_t group, bool persist, acc_t value[C::acc_banks]) {
        ESE_INLINE
    banks:
        for (int b = 0; b < C::acc_banks; ++b) {
            ESE_UNROLL
            stored_t<acc_t> &at = ram[Set][b][p][gate][within<C::group_depth>(group)];
            value[b] = acc_t(at);
            at = persist ? value[b] : acc_t(0);
        }
    }
};

} // namespace ese

#endif
