// The engine: one flat pipelined loop over a sequence (docs/engine.md). In each iteration every PE executes at most one
// entry, every element-wise unit takes at most one item, at most one input word is stored and at most one output word
// leaves. The number of iterations is the engine's cycle counter, whichever tool compiles the loop.
#ifndef ESE_ENGINE_H
#define ESE_ENGINE_H

#include "accumulators.h"
#include "pe.h"
#include "sequencer.h"

namespace ese {

template <class C> struct Engine {
    using acc_t = typename Shape<C>::acc_t;

    Memories<C> memory;
    Accumulators<C> accumulators;
    Feed<C> feed;
    Sequencer<C> sequencer;
    Stages<C> stages;
    bool trace;
    bool has_state; // the last sequence has left h and c, from which the next one may continue

    Engine() {
        ESE_PARTITION(stages.pipe, 0)
        ESE_PARTITION(stages.emission.words, 0)
    }

    // The state after the FPGA has been configured: no image, and all accumulators zero.
    void reset() {
        memory.image_id = 0;
        forget();
    }

    // Forget the state: the next sequence starts from h = c = 0 with cleared accumulators.
    void forget() {
        accumulators.clear();
        has_state = false;
    }

    // Run one sequence of `steps` frames; returns the number of iterations. `keep` continues from the state of the last
    // sequence, if there is one. `answer_crc` is the CRC of the answer's words so far. `In` has word() and
    // ended_early(), `Out` has word(value).
    template <class In, class Out> uint_t<64> run(In &in, Out &out, word_t &answer_crc, uint_t<17> steps, bool keep) {
        bool zero = !(keep && has_state);
        sequencer.begin(steps, zero);
        feed.begin(zero);
        stages.clear();
        uint_t<64> iterations = 0;
        word_t crc = answer_crc;
        if (Shape<C>::delta && memory.persistent && zero) {
            accumulators.clear();
            iterations = C::group_depth;
        }
    flat:
        while (under_way() && !in.ended_early()) {
            ESE_PIPELINE
            ESE_INDEPENDENT(accumulators.ram)
            ESE_INDEPENDENT(memory.cell)
            Write writes[2];
            stages.retire(trace, writes);
            stages.emission.pop(out, crc);
            bool taken = writes[0].enabled[0] || writes[0].enabled[1] || sequencer.reads(false);
            if (sequencer.frames.storing && !taken)
                sequencer.frames.template store<C>(in, memory.inputs, writes[0]);
            // In each branch an accumulator RAM has one user, either the PEs or the element-wise stage. With the set as
            // a template argument, HLS sees that the two never access the same RAM.
            bool filled = sequencer.matrix() ? sequencer.set(memory.alternate) : !stages.set;
            if (filled)
                execute<1>(writes);
            else
                execute<0>(writes);
            sequencer.advance(memory, stages, feed);
            ++iterations;
        }
        has_state = true;
        answer_crc = crc;
        return iterations;
    }

  private:
    // Whether the sequence goes on. A frame that is being stored is stored to its end, although no phase of a hostile
    // image may wait for it.
    bool under_way() const {
        ESE_INLINE
        return sequencer.state != State::finish || sequencer.frames.storing || stages.busy() ||
               stages.emission.left != 0;
    }

    // One iteration in which the PEs fill accumulator set `Set` and the element-wise units drain the other set.
    template <int Set> void execute(const Write writes[2]) {
        ESE_INLINE
        const Phase &phase = sequencer.phase;
        Work<C> work[C::pes];
        feed.step(memory, phase, sequencer.index, sequencer.matrix(), writes, work);
    accumulate:
        for (int p = 0; p < C::pes; ++p) {
            ESE_UNROLL
            Term<C> term;
            term.value = 0;
            term.negative = false;
            if (work[p].enabled)
                term = Term<C>::of(work[p].entry, work[p].x, memory.codebook[p], phase.codebook);
            int bank = term.negative ? phase.bank_negative : phase.bank_positive;
            accumulators.template add<Set>(p, work[p].enabled, bank, work[p].row, term.value);
        }
        if (stages.hold != 0)
            stages.hold -= 1;
        else if (stages.issuing)
            issue<1 - Set>();
    }

    // Give each unit one item: an LSTM cell with its four gate rows, or one row of another matrix.
    template <int Set> void issue() {
        ESE_INLINE
    units:
        for (int u = 0; u < C::units; ++u) {
            ESE_UNROLL
            typename Stages<C>::Item &slot = stages.pipe[0][u];
            slot.index = stages.item + u;
            slot.valid = stages.item + u < stages.phase.items;
            if (slot.valid)
                slot.result = compute<Set>(u, stages.item / C::units);
        }
        if (++stages.turn == C::pes / C::units) {
            stages.turn = 0;
            ++stages.local;
        }
        stages.item += C::units;
        stages.draining = writeback;
        stages.issuing = stages.item < stages.phase.items;
        stages.hold_back(trace);
    }

    // The result of item number `place` of unit `u`, from accumulator set `Set`.
    template <int Set> Result compute(int u, int place) {
        ESE_INLINE
        const Phase &phase = stages.phase;
        bool dense = phase.stage == Stage::dense;
        int param = within<C::param_depth>(phase.param_base + (dense ? place >> gates_log2 : place));
        int cell = within<C::cell_depth>(phase.cell_base + place);
        address_t local = stages.local;
        sum_t sums[gates];
        if (dense) {
            // Rows of other matrices are spread over all four accumulator columns; the parameters of four rows that
            // the unit computes one after the other are in the four columns of one word.
            sums[0] = sum_of<Set>(u, local & (gates - 1), local >> gates_log2, place & (gates - 1), param);
            return dense_row(sums[0], phase);
        }
    rows:
        for (int g = 0; g < gates; ++g) {
            ESE_UNROLL
            sums[g] = sum_of<Set>(u, g, local, g, param);
        }
        constant_t peephole[3];
    peepholes:
        for (int g = 0; g < 3; ++g) {
            ESE_UNROLL
            peephole[g] = memory.peephole[u][g][cell];
        }
        constant_t before = stages.zero_state ? constant_t(0) : memory.cell[u][cell];
        Result result = lstm_cell<C>(sums, before, peephole, phase, memory.lines, memory.table[u]);
        memory.cell[u][cell] = result.cell;
        return result;
    }

    // Read the accumulators of one row, clear them unless they persist, scale them and add the bias.
    template <int Set> sum_t sum_of(int u, int gate, int group, int column, int param) {
        ESE_INLINE
        acc_t acc[C::acc_banks];
        scale_t scale[C::acc_banks];
        // Skip mode may keep the sums of a layer from step to step, so there the layers have different groups.
        int base = Shape<C>::skips ? int(stages.phase.scan.group_base) : 0;
        bool persist = Shape<C>::delta && stages.phase.scan.delta;
        accumulators.template drain<Set>(stages.turn * C::units + u, gate, base + group, persist, acc);
    banks:
        for (int b = 0; b < C::acc_banks; ++b) {
            ESE_UNROLL
            scale[b] = memory.scale[u][column][b][param];
        }
        return scaled_sum<C>(acc, scale, memory.bias[u][column][param], stages.phase);
    }
};

} // namespace ese

#endif
