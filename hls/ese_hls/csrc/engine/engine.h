// SPDX-License-Identifier: Apache-2.0
// The engine: one flat pipelined loop over a sequence (docs/explanation/engine.md). In each iteration every PE executes
// at most one entry, every element-wise unit takes at most a cell or two rows, at most one input word is stored and at
// most one output word leaves. The number of iterations is the engine's cycle counter, whichever tool compiles the
// loop.
#ifndef ESE_ENGINE_H
#define ESE_ENGINE_H

#include "sequencer.h"

namespace ese {

// Forget the state: the next sequence starts from zero with cleared accumulators.
template <class C> void forget(Memories<C> &memory, Accumulators<C> &accumulators) {
    clear<C>(accumulators);
    memory.has_state = false;
}

// The sums of an item that its PEs have shown, by gate: those of gate g wait for the gates after it.
template <class C> struct Shown {
    typename Shape<C>::acc_t sums[gates][gates][C::acc_banks]; // [gate][iterations ago][bank]
};

// Take the rows that the PEs of unit `u` show in this iteration.
template <class C>
void gather(const Stages<C> &stages, int u, const typename Shape<C>::acc_t drained[C::pes][C::acc_banks],
            Shown<C> &shown) {
    ESE_INLINE
gates:
    for (int g = 0; g < gates; ++g) {
        ESE_UNROLL
    banks:
        for (int b = 0; b < C::acc_banks; ++b) {
            ESE_UNROLL
        wait:
            for (int age = gates - 1 - g; age > 0; --age) {
                ESE_UNROLL
                shown.sums[g][age][b] = shown.sums[g][age - 1][b];
            }
            shown.sums[g][0][b] = drained[stages.shows(stages.shown[g], g, u)][b];
        }
    }
}

// The results of unit `u` for its items whose last row is shown in this iteration.
template <class C>
void compute(const Memories<C> &memory, const Stages<C> &stages, int u, const Shown<C> &shown, Result results[2]) {
    ESE_INLINE
    using acc_t = typename Shape<C>::acc_t;
    const Phase &phase = stages.phase;
    const Items &items = stages.shown[gates - 1];
    bool dense = phase.stage == Stage::dense;
    int param = within<C::param_depth>(phase.param_base + (dense ? int(items.place) >> gates_log2 : int(items.place)));
    int cell = within<C::cell_depth>(phase.cell_base + items.place);
    scale_t scale[gates][C::acc_banks];
    constant_t bias[gates];
    ESE_PARTITION(scale, 0)
    ESE_PARTITION(bias, 0)
columns:
    for (int k = 0; k < gates; ++k) {
        ESE_UNROLL
    scales:
        for (int b = 0; b < C::acc_banks; ++b) {
            ESE_UNROLL
            scale[k][b] = memory.scale[u][k][b][param];
        }
        bias[k] = memory.bias[u][k][param];
    }
    // The parameters of four rows that a unit computes one after the other are in the four columns of one word. The
    // first of its four lanes computes them all, or with the second one two at a time.
    sum_t sums[gates];
gates:
    for (int g = 0; g < gates; ++g) {
        ESE_UNROLL
        acc_t acc[C::acc_banks];
    banks:
        for (int b = 0; b < C::acc_banks; ++b) {
            ESE_UNROLL
            acc[b] = shown.sums[g][gates - 1 - g][b];
        }
        int column = dense && g < Shape<C>::lanes ? (int(items.place) & (gates - 1)) | g : g;
        sums[g] = scaled_sum<C>(acc, scale[column], bias[column], phase, g);
    }
    constant_t peephole[3];
peepholes:
    for (int g = 0; g < 3; ++g) {
        ESE_UNROLL
        peephole[g] = memory.peephole[u][g][C::lstm ? cell : 0];
    }
    constant_t before = stages.zero_state ? constant_t(0) : memory.cell[u][cell];
    Cell result = {};
    if (!dense)
        result = cell_of<C>(sums, before, peephole, phase, memory.lines[format_set<C>(phase)], memory.table[u]);
    leave<C>(result, sums, phase, results);
}

// Run one sequence of `steps` frames; returns the number of iterations. `keep` continues from the state of the last
// sequence, if there is one. `answer_crc` is the CRC of the answer's words so far. `In` and `Out` as in
// packet.h.
template <class C, class In, class Out, class Stream>
uint_t<64> run(Memories<C> &memory, Accumulators<C> &accumulators, In &in, Out &out, Stream &from, Stream &to,
               word_t &answer_crc, uint_t<17> steps, bool keep, bool trace) {
    using acc_t = typename Shape<C>::acc_t;
    bool zero = !(keep && memory.has_state);
    uint_t<64> iterations = 0;
    word_t crc = answer_crc;
    // All that an iteration leaves to the next one, but for the RAMs, is in variables of this function.
    Sequencer<C> sequencer = {};
    Feed<C> feed = {};
    Stages<C> stages = {};
    Shown<C> shown[C::units] = {};
    Sum<C> made[C::pes][add_distance - 1] = {};
    Addition<C> added[C::pes] = {};
    bool filled = false; // the set to which the PEs add
    ESE_PARTITION(stages.shown, 0)
    ESE_PARTITION(stages.numbers, 0)
    ESE_PARTITION(stages.pipe, 0)
    ESE_PARTITION(stages.emission.words, 0)
    ESE_PARTITION(shown, 0)
    ESE_PARTITION(made, 0)
    ESE_PARTITION(added, 0)
    sequencer.begin(steps, zero);
    feed.begin(memory, zero);
    if (Shape<C>::delta && memory.persistent && zero) {
        clear<C>(accumulators);
        iterations = accumulator_rows<C>;
    }
flat:
    while (sequencer.under_way(stages) && !in.ended_early()) {
        ESE_PIPELINE
        ESE_READ_AFTER_WRITE(accumulators, 3)
        static_assert(add_distance == 3, "the distance that is stated is that which the code keeps");
        Write writes[2];
        stages.retire(trace, memory, writes);
        stages.emission.send_next(out, to, crc);
        bool taken = writes[0].enabled[0] || writes[0].enabled[1] || sequencer.reads(false);
        if (sequencer.frames.storing && !taken)
            sequencer.frames.template store<C>(in, from, memory.inputs, writes[0]);

        // The PEs add what they executed in the last iteration, and show rows to the units.
        Drained rows[C::pes];
        acc_t drained[C::pes][C::acc_banks];
        ESE_PARTITION(rows, 0) // an item's PE is an index into both
        ESE_PARTITION(drained, 0)
        stages.rows(rows);
    accumulate:
        for (int p = 0; p < C::pes; ++p) {
            ESE_UNROLL
            accumulate<C>(accumulators, p, filled, added[p], rows[p], made[p], drained[p]);
        }
        Result results[C::units][2] = {};
    units:
        for (int u = 0; u < C::units; ++u) {
            ESE_UNROLL
            gather<C>(stages, u, drained, shown[u]);
            if (stages.has(stages.shown[gates - 1], u))
                compute<C>(memory, stages, u, shown[u], results[u]);
        }
        stages.enter(results);
        stages.issue(trace);

        // The PEs execute their entries.
        Work<C> work[C::pes] = {};
        filled = sequencer.matrix() ? sequencer.set(memory.alternate) : !stages.set;
        feed.step(memory, sequencer.phase, sequencer.matrix(), writes, work);
    multiply:
        for (int p = 0; p < C::pes; ++p) {
            ESE_UNROLL
            added[p] = multiply<C>(work[p], memory.codebook[p], sequencer.phase);
        }
        sequencer.advance(memory, stages, feed);
        ++iterations;
    }
    memory.has_state = true;
    answer_crc = crc;
    return iterations;
}

} // namespace ese

#endif
