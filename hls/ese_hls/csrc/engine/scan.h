// SPDX-License-Identifier: Apache-2.0
// The scanner of skip mode. It examines a vector `scan_width` elements at a time, finds those that count (the leading
// non-zero detection of EIE) and broadcasts one of them per iteration, with the place of its column in each PE.
#ifndef ESE_SCAN_H
#define ESE_SCAN_H

#include "memories.h"

namespace ese {

constexpr int read_ahead = 3; // iterations from giving a block RAM an address to using the value

// The elements that are examined at once, starting with element `first` of the vector.
struct Row {
    bool valid;
    address_t first;
    element_t x[scan_width], last[scan_width];
};

// The elements of one row that count; each is cleared when it has been broadcast.
struct Found {
    address_t first;
    element_t value[scan_width];
    bool counts[scan_width];
};

template <class C> struct Scanner {
    struct Broadcast {
        bool valid;
        Column<C> column[C::pes];
    };

    uint_t<17> next; // first element that has not been read
    bool fresh;      // the matrix runs for the first time since the state was zero
    Row rows[read_ahead];
    Found found;
    Broadcast broadcasts[read_ahead];

    // Begin to scan a vector.
    void start(bool is_fresh) {
        ESE_INLINE
        next = 0;
        fresh = is_fresh;
    }

    // Drop everything that is in flight.
    void clear() {
    stages:
        for (int d = 0; d < read_ahead; ++d) {
            ESE_UNROLL
            rows[d].valid = false;
            broadcasts[d].valid = false;
        }
    elements:
        for (int e = 0; e < scan_width; ++e) {
            ESE_UNROLL
            found.counts[e] = false;
        }
    }

    // The broadcast that has arrived at the FIFOs.
    const Broadcast &arrived() const { return broadcasts[read_ahead - 1]; }

    bool over(const Phase &phase) const {
        bool under_way = next < phase.scan.columns || any_found();
    stages:
        for (int d = 0; d < read_ahead; ++d) {
            ESE_UNROLL
            under_way = under_way || rows[d].valid || broadcasts[d].valid;
        }
        return !under_way;
    }

    // One iteration, in which the FIFOs take the broadcast that has arrived. The next element is sent; if it was the
    // last of its row, the next row is examined and another one is read.
    void step(Memories<C> &memory, const Phase &phase) {
        ESE_INLINE
    travel:
        for (int d = read_ahead - 1; d > 0; --d) {
            ESE_UNROLL
            broadcasts[d] = broadcasts[d - 1];
        }
        send(memory, phase);
        if (any_found())
            return;
        examine(memory, phase);
    prefetch:
        for (int d = read_ahead - 1; d > 0; --d) {
            ESE_UNROLL
            rows[d] = rows[d - 1];
        }
        read(memory, phase);
    }

  private:
    bool any_found() const {
        bool any = false;
    elements:
        for (int e = 0; e < scan_width; ++e) {
            ESE_UNROLL
            any = any || found.counts[e];
        }
        return any;
    }

    // Broadcast the first element that counts and has not been sent.
    void send(const Memories<C> &memory, const Phase &phase) {
        ESE_INLINE
        Broadcast &sent = broadcasts[0];
        int chosen = 0;
        element_t value = found.value[0];
        sent.valid = false;
    priority:
        for (int e = scan_width - 1; e >= 0; --e) {
            ESE_UNROLL
            if (found.counts[e]) {
                chosen = e;
                value = found.value[e];
                sent.valid = true;
            }
        }
    rest:
        for (int e = 0; e < scan_width; ++e) {
            ESE_UNROLL
            found.counts[e] = found.counts[e] && e != chosen;
        }
        int column = phase.scan.pointer_base + found.first + chosen;
    pes:
        for (int p = 0; p < C::pes; ++p) {
            ESE_UNROLL
            sent.column[p].begin = EntryAddress<C>::unpack(memory.pointers[p][within<Shape<C>::pointer_depth>(column)]);
            sent.column[p].end =
                EntryAddress<C>::unpack(memory.pointers[p][within<Shape<C>::pointer_depth>(column + 1)]);
            sent.column[p].x = value;
        }
    }

    // Determine which elements of the row that has been read count: those that are not zero, or in a delta phase those
    // that have changed by more than the threshold since they were last broadcast.
    void examine(Memories<C> &memory, const Phase &phase) {
        ESE_INLINE
        const Row &row = rows[read_ahead - 1];
        element_t kept[scan_width];
        found.first = row.first;
    elements:
        for (int e = 0; e < scan_width; ++e) {
            ESE_UNROLL
            bool exists = row.valid && row.first + e < phase.scan.columns;
            element_t value = row.x[e];
            uint_t<16> threshold = 0;
            if (changes(phase)) {
                value = row.x[e] - row.last[e];
                threshold = phase.scan.threshold;
            }
            found.value[e] = value;
            found.counts[e] = exists && (value > element_t(threshold) || value < -element_t(threshold));
            kept[e] = found.counts[e] ? row.x[e] : row.last[e];
        }
        if (row.valid && changes(phase))
            write_row<Shape<C>::last_words>(memory.last, phase.scan.last_base + row.first, kept);
    }

    void read(const Memories<C> &memory, const Phase &phase) {
        ESE_INLINE
        Row &row = rows[0];
        row.valid = next < phase.scan.columns;
        row.first = next;
        if (!row.valid)
            return;
        element_t both[2][scan_width];
    rams:
        for (int r = 0; r < 2; ++r) {
            ESE_UNROLL
            read_row<Shape<C>::vector_words>(memory.vectors[r], phase.source_base + next, both[r]);
        }
    elements:
        for (int e = 0; e < scan_width; ++e) {
            ESE_UNROLL
            row.x[e] = phase.source_ram ? both[1][e] : both[0][e];
        }
        if (changes(phase)) {
            read_row<Shape<C>::last_words>(memory.last, phase.scan.last_base + next, row.last);
        known:
            for (int e = 0; e < scan_width; ++e) {
                ESE_UNROLL
                row.last[e] = fresh ? element_t(0) : row.last[e];
            }
        }
        next += scan_width;
    }

    static bool changes(const Phase &phase) { return Shape<C>::delta && phase.scan.delta; }
};

} // namespace ese

#endif
