// SPDX-License-Identifier: Apache-2.0
// The element-wise stage: it keeps track of the items in flight, of when their results are written, and of the words
// that leave the engine.
#ifndef ESE_STAGES_H
#define ESE_STAGES_H

#include "accumulators.h"
#include "crc.h"
#include "elementwise.h"
#include "memories.h"

namespace ese {

// The words of results on their way out; one leaves per iteration. They have all left before the next results come,
// because stages issue no items in between.
template <class C> struct Emission {
    static constexpr int most = trace_words * C::units;

    word_t words[most];
    uint_t<5> left;
    element_t low; // first value of a pair whose second is still missing

    // Let `count` words leave.
    void load(const word_t loaded[most], uint_t<5> count) {
        ESE_INLINE
    words:
        for (int w = 0; w < most; ++w) {
            ESE_UNROLL
            words[w] = loaded[w];
        }
        left = count;
    }

    // Send a word, if there is one.
    template <class Out, class Stream> void send_next(Out &out, Stream &to, word_t &crc) {
        ESE_INLINE
        if (left == 0)
            return;
        send(out, to, crc, words[0]);
    shift:
        for (int w = 0; w + 1 < most; ++w) {
            ESE_UNROLL
            words[w] = words[w + 1];
        }
        left -= 1;
    }
};

// Items that are taken in the same iteration: a cell, or a row of another matrix, by each unit; or two rows by one
// unit.
struct Items {
    bool valid;
    bool pair;       // two rows by one unit
    address_t first; // item of the first unit
    address_t place; // the same for every unit: the first item's number among those of its unit
    uint_t<9> turn;  // item i belongs to PE i mod P; unit u drains PE turn * units + u, which no other unit drains
    address_t local; // row or group of the item within its PE: i div P
};

// The stage that follows a matrix. The PEs show the rows of an item in the iterations after it was issued: a cell's
// gates one after the other, so that a RAM shows one row in each. The results are written `writeback` iterations after
// the item was issued. This gives HLS time to compute them, although the write is at the same place of the loop as the
// reads of the same memory.
template <class C> struct Stages {
    // The items of one iteration on their way to be written: the first one's number and place, and what comes of each.
    struct Numbers {
        address_t first, place;
    };
    struct Item {
        bool valid;
        Result result;
    };
    static constexpr int computing = writeback - gates; // iterations from the last row to the write

    Phase phase;
    // `set` is drained; `outputs`: second target and output take part in this step; `zero_state`: the state is zero.
    bool set, outputs, zero_state;
    bool issuing;       // some items have not been issued yet
    uint_t<6> draining; // iterations until the item issued last is written
    uint_t<17> item;    // next item of the first unit
    uint_t<9> turn;
    address_t local;
    address_t place;
    uint_t<4> hold;     // iterations until the next items may be issued
    Items shown[gates]; // gate g of items shown[g], or row g of a pair, is read in this iteration
    Numbers numbers[computing];
    Item pipe[computing][Shape<C>::results];
    Emission<C> emission;

    bool busy() const { return issuing || draining != 0; }

    // Whether the PEs must not fill accumulator set `filled`. A PE adds for the first time in the second iteration
    // after a phase was fetched. By then, all rows have been cleared for as many iterations as an addition takes.
    bool drains(bool filled) const {
        return set == filled && (issuing || draining > writeback - (gates + add_distance - 2));
    }

    bool writes(bool ram) const {
        return busy() && ((phase.first.enabled && phase.first.ram == ram) ||
                          (phase.second.enabled && phase.second.ram == ram && outputs));
    }

    // Begin the stage after the matrix of phase `next`. The PEs have executed the last entry one iteration before and
    // add it in this one, and no row is shown before two more iterations. The first item waits for what is left.
    void launch(const Phase &next, bool next_set, bool last_step, bool zero) {
        ESE_INLINE
        phase = next;
        set = next_set;
        outputs = !next.output_last_only || last_step;
        zero_state = zero;
        issuing = next.items != 0;
        item = 0;
        turn = 0;
        local = 0;
        place = 0;
        hold = add_distance - 2;
    }

    // Give each unit its next item, or two rows, if it may have one.
    void issue(bool trace) {
        ESE_INLINE
    shown:
        for (int g = gates - 1; g > 0; --g) {
            ESE_UNROLL
            shown[g] = shown[g - 1];
        }
        bool pair = pairs(trace);
        shown[0].valid = issuing && hold == 0;
        shown[0].pair = pair;
        shown[0].first = item;
        shown[0].place = place;
        shown[0].turn = turn;
        shown[0].local = local;
        if (hold != 0) {
            hold -= 1;
        } else if (issuing) {
            int each = pair ? 2 : 1; // items of a unit
            bool wraps = turn + each == Shape<C>::unit_pes;
            turn = wraps ? uint_t<9>(0) : uint_t<9>(turn + each);
            local += wraps ? 1 : 0;
            place += each;
            item += pair ? 2 : C::units;
            draining = writeback;
            issuing = item < phase.items;
            hold = period(trace) - 1;
        }
    }

    // Whether item `i` is one of these.
    bool has(const Items &items, int i) const {
        return i < Shape<C>::results && items.valid && (i < C::units || items.pair) && items.first + i < phase.items;
    }

    // The PE that shows row `g` of the items of unit `u`. The second row of a pair is that of the next PE.
    static int shows(const Items &items, int g, int u) {
        ESE_INLINE
        return (items.turn | (g == 1 && items.pair ? 1 : 0)) * C::units + u;
    }

    // The row that every PE shows: of a cell, gate g in iteration g; of a pair, row g in iteration g.
    void rows(Drained drained[C::pes]) const {
        ESE_INLINE
        // Skip mode may keep the sums of a layer from step to step, so there the layers have different groups.
        int base = Shape<C>::skips ? int(phase.scan.group_base) << gates_log2 : 0;
        bool dense = phase.stage == Stage::dense;
        bool stays = (Shape<C>::delta && phase.scan.delta) || resets<C>(phase);
    pes:
        for (int p = 0; p < C::pes; ++p) {
            ESE_UNROLL
            drained[p].clears = false;
            drained[p].row = 0;
        }
    gates:
        for (int g = 0; g < gates; ++g) {
            ESE_UNROLL
            const Items &items = shown[g];
        units:
            for (int u = 0; u < C::units; ++u) {
                ESE_UNROLL
                if (dense ? has(items, g * C::units + u) : has(items, u)) {
                    Drained &shown_row = drained[shows(items, g, u)];
                    shown_row.clears = !stays;
                    shown_row.row = base + (dense ? int(items.local) : int(items.local) * gates + g);
                }
            }
        }
    }

    // Take the results of the items whose last row is shown in this iteration.
    void enter(const Result results[C::units][2]) {
        ESE_INLINE
        const Items &items = shown[gates - 1];
        numbers[0].first = items.first;
        numbers[0].place = items.place;
    items:
        for (int i = 0; i < Shape<C>::results; ++i) {
            ESE_UNROLL
            pipe[0][i].valid = has(items, i);
            pipe[0][i].result = results[i % C::units][i / C::units];
        }
    }

    // Send the results of the items issued `writeback` iterations ago to the vector RAMs and to the output, and the
    // state of cells to its memory.
    void retire(bool trace, Memories<C> &memory, Write writes[2]) {
        ESE_INLINE
        const Numbers &items = numbers[computing - 1];
    ports:
        for (int i = 0; i < 2; ++i) {
            ESE_UNROLL
            const Item &each = pipe[computing - 1][i < Shape<C>::results ? i : 0];
            bool valid = i < Shape<C>::results && each.valid;
        rams:
            for (int r = 0; r < 2; ++r) {
                ESE_UNROLL
                bool first = phase.first.enabled && phase.first.ram == (r != 0);
                bool second = phase.second.enabled && phase.second.ram == (r != 0) && outputs;
                writes[r].enabled[i] = valid && (first || second);
                writes[r].address[i] = items.first + i + (first ? phase.first.base : phase.second.base);
                writes[r].value[i] = first ? each.result.stored : each.result.output;
            }
            if (i < C::units && valid && phase.stage != Stage::dense && !resets<C>(phase))
                memory.cell[i < C::units ? i : 0][within<C::cell_depth>(phase.cell_base + items.place)] =
                    each.result.cell;
        }
        emit(trace);
        if (draining != 0)
            draining -= 1;
    shift:
        for (int d = computing - 1; d > 0; --d) {
            ESE_UNROLL
            numbers[d] = numbers[d - 1];
        shift_items:
            for (int i = 0; i < Shape<C>::results; ++i) {
                ESE_UNROLL
                pipe[d][i] = pipe[d - 1][i];
            }
        }
    }

  private:
    // Words that leave for each item, unless two share one or none leaves.
    int words_each(bool trace) const {
        return trace ? trace_words : phase.emits && outputs && !phase.emits_stored ? exact_words : 0;
    }

    // Whether a unit takes two rows at once. Rows with words of their own would leave no faster.
    bool pairs(bool trace) const { return Shape<C>::paired && phase.stage == Stage::dense && words_each(trace) == 0; }

    // Iterations from one issue to the next: until the words of the items have left, and until the PEs of the first
    // ones have shown all rows of their cells.
    int period(bool trace) const {
        ESE_INLINE
        int words = words_each(trace) * C::units;
        int rows = phase.stage == Stage::dense ? 1 : Shape<C>::cell_period;
        return words > rows ? words : rows;
    }

    // The words of the units' results.
    void emit(bool trace) {
        ESE_INLINE
        if (!pipe[computing - 1][0].valid || !(trace || (phase.emits && outputs)))
            return;
        word_t words[Emission<C>::most] = {};
        if (!trace && phase.emits_stored) {
            emit_stored(words);
            return;
        }
    units:
        for (int u = 0; u < C::units; ++u) {
            ESE_UNROLL
            const Result &result = pipe[computing - 1][u].result;
            word_t low = uint_t<64>(result.exact) & 0xFFFFFFFFu, high = uint_t<64>(result.exact) >> 32;
            if (trace) {
                words[trace_words * u] = low;
                words[trace_words * u + 1] = high;
                words[trace_words * u + 2] = int_t<32>(result.stored);
                words[trace_words * u + 3] = int_t<32>(result.cell);
            } else {
                words[exact_words * u] = low;
                words[exact_words * u + 1] = high;
            }
        }
        emission.load(words, two_retire() ? 2 * words_each(trace) : words_each(trace));
    }

    // Whether the items that are written in this iteration are two.
    bool two_retire() const { return Shape<C>::results == 2 && pipe[computing - 1][Shape<C>::results - 1].valid; }

    // A stored value takes half a word. If the last value leaves half a word, that half is zero.
    void emit_stored(word_t words[Emission<C>::most]) {
        ESE_INLINE
        const Item &item0 = pipe[computing - 1][0], &item1 = pipe[computing - 1][Shape<C>::results - 1];
        bool two = two_retire();
        int last = numbers[computing - 1].first + (two ? 1 : 0);
        word_t first = item0.result.output & ((1 << stored_bits) - 1);
        word_t second = (two ? item1 : item0).result.output & ((1 << stored_bits) - 1);
        bool odd = (last & 1) != 0;
        if (!odd && last + 1 != phase.items) {
            emission.low = first;
            return;
        }
        if (!two && odd)
            first = emission.low;
        words[0] = odd ? word_t(first | second << stored_bits) : second;
        emission.load(words, 1);
    }
};

} // namespace ese

#endif
