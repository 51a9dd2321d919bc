// SPDX-License-Identifier: Apache-2.0
// The feed of stream mode (ESE): each PE reads its entries in order, one per iteration, and for each entry the
// activation of its column.
#ifndef ESE_STREAM_H
#define ESE_STREAM_H

#include "memories.h"

namespace ese {

template <class C> struct StreamFeed {
    static constexpr int pairs = Shape<C>::pairs;
    static constexpr int position_bits = log2_ceil(C::vector_depth) + log2_ceil(C::group_depth) + 3;

    address_t entry;                    // next entry of the matrix
    EntryAddress<C> at;                 // its address
    uint_t<position_bits> next[C::pes]; // position after the last entry of each PE
    address_t row;                      // full phase: row of the next entry, the same in every PE

    // Begin a sequence; there is nothing to do.
    void begin(Memories<C> &, bool) {}

    // The position of an entry, and the one after it. A position is the column times the stride (a power of two) plus
    // the row in the PE.
    struct Positions {
        uint_t<position_bits> here, next;
    };
    static Positions place(uint_t<position_bits> next, bool first, const Entry<C> &entry,
                           uint_t<position_bits> advance) {
        ESE_INLINE
        Positions positions;
        positions.here = (first ? uint_t<position_bits>(0) : next) + entry.gap;
        positions.next = positions.here + (entry.placed ? advance : uint_t<position_bits>(0));
        return positions;
    }

    // Begin a matrix.
    void start(Memories<C> &, const Phase &phase, int) {
        ESE_INLINE
        entry = 0;
        at.word = phase.entry_base;
        at.slot = 0;
        row = 0;
    }

    // One iteration of the vector RAMs and, if a matrix is `active`, of every PE.
    void step(Memories<C> &memory, const Phase &phase, bool active, const Write writes[2], Work<C> work[C::pes]) {
        ESE_INLINE
        address_t address[2 * pairs];
        element_t x[2][2 * pairs];
        address[2 * pairs - 1] = 0;
        address_t word = active ? at.word : address_t(0);
        // A full column stores only the rows that exist: after the last one, skip the positions up to the stride.
        bool full = is_full<C>(phase), wraps = full && row + 1 == phase.rows;
        uint_t<position_bits> advance = 1;
        if (wraps)
            advance = (1 << phase.stride_log2) - phase.rows + 1;
    decode:
        for (int p = 0; p < C::pes; ++p) {
            ESE_UNROLL
            work[p].entry = Entry<C>::unpack(memory.entries[p][word], at.slot, full);
            work[p].enabled = active && work[p].entry.weight;
            Positions positions = place(next[p], entry == 0, work[p].entry, advance);
            next[p] = positions.next;
            work[p].row = positions.here & ((1 << phase.stride_log2) - 1);
            address[p] = phase.source_base + (positions.here >> phase.stride_log2);
        }
    rams:
        for (int r = 0; r < 2; ++r) {
            ESE_UNROLL
            access_copies<C>(memory.vectors[r], writes[r], active && phase.source_ram == (r != 0), address, x[r]);
        }
    deliver:
        for (int p = 0; p < C::pes; ++p) {
            ESE_UNROLL
            work[p].x = !work[p].enabled ? element_t(0) : phase.source_ram ? x[1][p] : x[0][p];
        }
        if (active) {
            ++entry;
            at = at.next(full);
            row = wraps || !full ? address_t(0) : address_t(row + 1);
        }
    }

    // Whether the last entry of the matrix has been executed.
    bool over(const Phase &phase) const { return entry == phase.entry_count; }
};

} // namespace ese

#endif
