// SPDX-License-Identifier: Apache-2.0
// The feed of skip mode (EIE): columns whose activation counts are broadcast to a FIFO in front of each PE. A PE takes
// one column after the other and executes one of its entries per iteration.
#ifndef ESE_SKIP_H
#define ESE_SKIP_H

#include "scan.h"

namespace ese {

template <class C> struct SkipFeed {
    // The progress of a PE: the rest of its column, and the row after the entry that was executed last.
    struct Progress {
        bool busy;
        Column<C> column;
        address_t next;

        // Whether there is an entry to execute.
        bool ready() const { return busy && column.begin.before(column.end); }

        // Go past an entry, or past a column that has none.
        void advance(bool entry, bool full) {
            ESE_INLINE
            if (entry)
                column.begin = column.begin.next(full);
            busy = entry && column.begin.before(column.end);
        }
    };

    // The column that a PE takes next. It is read from the FIFO an iteration before it may be taken, so that no
    // decision waits for what the FIFO returns.
    struct Front {
        bool valid;
        Column<C> column;
    };

    Scanner<C> scanner;
    uint_t<9> head[C::pes], held[C::pes]; // index of the first column in each FIFO, and number of columns in it
    uint_t<9> tail;                       // where the next column is written, the same in all FIFOs
    Front front[C::pes];
    Progress pe[C::pes];
    bool finished;

    // Begin a sequence, from the state zero or from the state in which the last sequence ended.
    void begin(Memories<C> &memory, bool zero) {
        scanner.clear();
        finished = false;
        tail = 0;
    pes:
        for (int p = 0; p < C::pes; ++p) {
            ESE_UNROLL
            head[p] = held[p] = 0;
            front[p].valid = false;
            pe[p].busy = false;
        }
    phases:
        for (int i = 0; i < C::phases; ++i) {
            ESE_UNROLL
            memory.fresh[i] = memory.fresh[i] || zero;
        }
    }

    // Begin a matrix.
    void start(Memories<C> &memory, const Phase &, int index) {
        ESE_INLINE
        scanner.start(memory.fresh[index]);
        memory.fresh[index] = false;
        finished = false;
    }

    // One iteration of every PE and, if a matrix is `active`, of the scanner. Whether a FIFO is full and whether all
    // work is done is judged by the state at the beginning of the iteration, so that neither waits for what the PEs
    // take in this one.
    void step(Memories<C> &memory, const Phase &phase, bool active, const Write writes[2], Work<C> work[C::pes]) {
        ESE_INLINE
        bool full = false, working = false;
    judge:
        for (int p = 0; p < C::pes; ++p) {
            ESE_UNROLL
            full = full || held[p] == Shape<C>::fifo_depth;
            working = working || pe[p].busy || front[p].valid || held[p] != 0;
        }
        finished = !working && scanner.over(phase);
    execute:
        for (int p = 0; p < C::pes; ++p) {
            ESE_UNROLL
            take(pe[p], front[p]);
            refill(p, memory.fifo[p]);
            work[p] = execute(pe[p], memory.entries[p], phase);
        }
        const typename Scanner<C>::Broadcast &arrived = scanner.arrived();
        bool stalled = arrived.valid && full;
        if (arrived.valid && !stalled)
            push(memory, arrived);
        if (active && !stalled)
            scanner.step(memory, phase);
    rams:
        for (int r = 0; r < 2; ++r) {
            ESE_UNROLL
            write_banks<C>(memory.vectors[r], writes[r]);
        }
    }

    // Whether the vector has been scanned and every PE has executed all columns that it was sent.
    bool over(const Phase &) const { return finished; }

  private:
    void push(Memories<C> &memory, const typename Scanner<C>::Broadcast &arrived) {
        ESE_INLINE
    pes:
        for (int p = 0; p < C::pes; ++p) {
            ESE_UNROLL
            memory.fifo[p][tail] = arrived.column[p];
            ++held[p];
        }
        tail = within<Shape<C>::fifo_depth>(tail + 1);
    }

    // Let a PE take the next column if it is idle.
    static void take(Progress &at, Front &next) {
        ESE_INLINE
        if (at.busy || !next.valid)
            return;
        at.busy = true;
        at.column = next.column;
        at.next = 0;
        next.valid = false;
    }

    // Read the column after the one that PE `p` has taken.
    void refill(int p, const Column<C> fifo[Shape<C>::fifo_depth]) {
        ESE_INLINE
        if (front[p].valid || held[p] == 0)
            return;
        front[p].valid = true;
        front[p].column = fifo[head[p]];
        head[p] = within<Shape<C>::fifo_depth>(head[p] + 1);
        held[p] -= 1;
    }

    // Execute one entry of the column. A column without entries takes one iteration too.
    static Work<C> execute(Progress &at, const typename Shape<C>::entry_word_t entries[C::entry_depth],
                           const Phase &phase) {
        ESE_INLINE
        Work<C> work;
        const Column<C> &column = at.column;
        bool entry = at.ready(), full = is_full<C>(phase);
        work.enabled = false;
        work.row = 0;
        if (entry) {
            work.entry = Entry<C>::unpack(entries[column.begin.word], column.begin.slot, full);
            work.row = at.next + work.entry.gap;
            work.x = column.x;
            work.enabled = work.entry.weight;
            at.next = work.row + (work.entry.placed ? 1 : 0);
            work.row += gates * phase.scan.group_base;
        }
        at.advance(entry, full);
        return work;
    }
};

} // namespace ese

#endif
