// The engine: one flat pipelined loop over a sequence (docs/engine.md). In each iteration every PE executes at most
// one entry, the element-wise units at most one item each, an input word at most is stored and an output word at most
// leaves. The loop counts its iterations: that is the engine's cycle counter, under every tool.
#ifndef ESE_ENGINE_H
#define ESE_ENGINE_H

#include "accumulators.h"
#include "elementwise.h"
#include "memories.h"
#include "pe.h"
#include "vectors.h"

namespace ese {

enum class State { fetch, matrix, launch, finish };

// Where a sequence stands.
struct Progress {
    State state;
    Phase phase;      // the phase fetched
    ap_uint<7> index; // its place in the table
    bool prologue;    // running the phases that go ahead, before the first step
    bool zero_state;  // h and c are zero until the first step is over
    ap_uint<17> step, steps;
    address_t entry;     // next entry of the matrix
    address_t word;      // and where it lies
    ap_uint<3> slot;

    bool last() const { return step + 1 == steps; }
    bool skips() const {
        return prologue ? !phase.ahead : ((phase.ahead && last()) || (phase.last_only && !last()));
    }
};

// The input frame: one word, two elements, an iteration; vector RAM A, from element 0 on.
struct Frames {
    ap_uint<17> left;    // frames not yet begun
    ap_uint<12> element; // next element of the frame being stored
    bool storing, ready;
};

// The element-wise stage: the phase it works on, the item each unit takes next, and what has not been written yet.
template <class C> struct Stages {
    struct Item {
        bool valid;
        Result result;
        address_t index;
    };

    Phase phase;
    bool set, outputs, zero_state;
    bool issuing;
    ap_uint<6> draining; // iterations until the last issued item is written
    address_t item;      // first unit's next item
    ap_uint<8> pe[C::units];
    address_t local[C::units];
    ap_uint<4> hold; // iterations until the next issue, while results leave word by word
    Item pipe[writeback][C::units];

    bool busy() const { return issuing || draining != 0; }
    bool writes(bool ram) const {
        return busy() && ((phase.first.enabled && phase.first.ram == ram) ||
                          (phase.second.enabled && phase.second.ram == ram && outputs));
    }
};

// Words that wait to leave, one an iteration.
template <class C> struct Emission {
    word_t words[4 * C::units];
    ap_uint<4> left;
};

template <class C> struct Engine {
    static constexpr int pairs = Shape<C>::pairs;
    using acc_t = typename Shape<C>::acc_t;

    Memories<C> memory;
    Accumulators<C> accumulators;
    VectorRam<C> vectors[2];
    Progress at;
    Frames frames;
    Stages<C> stages;
    Emission<C> emission;
    ap_int<32> position[C::pes];
    bool trace;
    bool has_state; // the last sequence left h and c to go on from

    Engine() {
        ESE_PARTITION(vectors, 1)
        ESE_PARTITION(position, 1)
        ESE_PARTITION(stages.pipe, 0)
        ESE_PARTITION(stages.pe, 0)
        ESE_PARTITION(stages.local, 0)
        ESE_PARTITION(emission.words, 0)
    }

    // What configuration leaves: no image, accumulators zero.
    void reset() {
        memory.image_id = 0;
        forget();
    }

    // Forget the state: the next sequence starts from h = c = 0, with clean accumulators.
    void forget() {
        accumulators.clear();
        has_state = false;
    }

    // One sequence of `steps` frames; returns the iterations it took. `In` has word() and
    // ended_early(), `Out` has word(value).
    template <class In, class Out> ap_uint<64> run(In &in, Out &out, ap_uint<17> steps, bool keep) {
        begin(steps, keep && has_state);
        ap_uint<64> iterations = 0;
    flat:
        while ((at.state != State::finish || stages.busy() || emission.left != 0) && !in.ended_early()) {
            ESE_PIPELINE
            ESE_INDEPENDENT(accumulators.ram)
            ESE_INDEPENDENT(memory.cell)
            Write writes[2];
            retire(writes);
            emit(out);
            store_frame(in, writes[0]);
            if (filling_set())
                execute<1>(writes);
            else
                execute<0>(writes);
            control();
            ++iterations;
        }
        has_state = true;
        return iterations;
    }

  private:
    void begin(ap_uint<17> steps, bool keep) {
        at.state = State::fetch;
        at.index = 0;
        at.prologue = true;
        at.zero_state = !keep;
        at.step = 0;
        at.steps = steps;
        frames.left = steps - 1;
        frames.element = 0;
        frames.storing = true;
        frames.ready = false;
        stages.issuing = false;
        stages.draining = 0;
        stages.hold = 0;
        emission.left = 0;
    pipe:
        for (int d = 0; d < writeback; ++d)
            for (int u = 0; u < C::units; ++u)
                stages.pipe[d][u].valid = false;
    }

    // The accumulator set that belongs to the PEs in this iteration; the other is the element-wise stage's.
    bool filling_set() const { return at.state == State::matrix ? set_of(at) : !stages.set; }

    bool set_of(const Progress &p) const {
        ap_uint<17> step = p.prologue ? ap_uint<17>(0) : ap_uint<17>(p.step + (p.phase.ahead ? 1 : 0));
        return p.phase.set != (memory.alternate && (step & 1) != 0);
    }

    // Take the results that were issued `writeback` iterations ago: to the vector RAMs and to the output.
    void retire(Write writes[2]) {
        ESE_INLINE
        const Phase &phase = stages.phase;
        bool emits = trace || (phase.emits && stages.outputs);
    units:
        for (int u = 0; u < C::units; ++u) {
            ESE_UNROLL
            typename Stages<C>::Item item = stages.pipe[writeback - 1][u];
        rams:
            for (int r = 0; r < 2; ++r) {
                ESE_UNROLL
                bool first = phase.first.enabled && phase.first.ram == (r != 0);
                bool second = phase.second.enabled && phase.second.ram == (r != 0) && stages.outputs;
                writes[r].enabled[u] = item.valid && (first || second);
                writes[r].address[u] = item.index + (first ? phase.first.base : phase.second.base);
                writes[r].value[u] = first ? item.result.stored : item.result.output;
            }
            if (item.valid && emits)
                load_emission(item.result, phase.emits_stored);
        }
        for (int u = C::units; u < 2; ++u)
            writes[0].enabled[u] = writes[1].enabled[u] = false;
        if (stages.draining != 0)
            --stages.draining;
    shift:
        for (int d = writeback - 1; d > 0; --d) {
            ESE_UNROLL
            for (int u = 0; u < C::units; ++u) {
                ESE_UNROLL
                stages.pipe[d][u] = stages.pipe[d - 1][u];
            }
        }
        for (int u = 0; u < C::units; ++u) {
            ESE_UNROLL
            stages.pipe[0][u].valid = false;
        }
    }

    void load_emission(const Result &result, bool emits_stored) {
        ESE_INLINE
        ap_int<64> value = !trace && emits_stored ? ap_int<64>(result.output) : result.exact;
        emission.words[emission.left] = value;
        emission.words[emission.left + 1] = value >> 32;
        if (trace) {
            emission.words[emission.left + 2] = result.stored;
            emission.words[emission.left + 3] = result.cell;
        }
        emission.left += trace ? 4 : 2;
    }

    template <class Out> void emit(Out &out) {
        ESE_INLINE
        if (emission.left == 0)
            return;
        out.word(emission.words[0]);
    shift:
        for (int w = 0; w + 1 < 4 * C::units; ++w) {
            ESE_UNROLL
            emission.words[w] = emission.words[w + 1];
        }
        --emission.left;
    }

    // Store one word of the next frame, when neither the PEs nor a result want vector RAM A.
    template <class In> void store_frame(In &in, Write &write) {
        ESE_INLINE
        bool taken = write.enabled[0] || write.enabled[1] || (at.state == State::matrix && !at.phase.source_ram);
        if (!frames.storing || taken)
            return;
        word_t word = in.word();
        ap_int<16> low = word, high = word >> 16;
        write.enabled[0] = true;
        write.address[0] = frames.element;
        write.value[0] = C::source_signed ? element_t(low) : element_t(ap_uint<16>(low));
        write.enabled[1] = frames.element + 1 < memory.inputs;
        write.address[1] = frames.element + 1;
        write.value[1] = C::source_signed ? element_t(high) : element_t(ap_uint<16>(high));
        frames.element += 2;
        if (frames.element >= memory.inputs) {
            frames.storing = false;
            frames.ready = true;
        }
    }

    // The PEs fill accumulator set `Set`, the element-wise units drain the other.
    template <int Set> void execute(const Write writes[2]) {
        ESE_INLINE
        bool active = at.state == State::matrix;
        bool enabled[C::pes];
        Entry<C> entry[C::pes];
        address_t row[C::pes], address[2 * pairs];
        element_t x[2][2 * pairs];
        address[2 * pairs - 1] = 0;
    decode:
        for (int p = 0; p < C::pes; ++p) {
            ESE_UNROLL
            enabled[p] = active && at.entry < memory.counts[p][at.index];
            entry[p] = Entry<C>::unpack(memory.entries[p][at.word], at.slot);
            bool padding = entry[p].padding();
            position[p] += entry[p].gap + (padding ? 0 : 1);
            ap_uint<32> stride_mask = (ap_uint<32>(1) << at.phase.stride_log2) - 1;
            row[p] = position[p] & stride_mask;
            address[p] = at.phase.source_base + (position[p] >> at.phase.stride_log2);
            enabled[p] = enabled[p] && !padding;
        }
        vectors[0].access(writes[0], active && !at.phase.source_ram, address, x[0]);
        vectors[1].access(writes[1], active && at.phase.source_ram, address, x[1]);
    accumulate:
        for (int p = 0; p < C::pes; ++p) {
            ESE_UNROLL
            Term<C> term;
            if (enabled[p])
                term = Term<C>::of(entry[p], x[at.phase.source_ram ? 1 : 0][p], memory.codebook[p], at.phase.codebook);
            ap_uint<2> bank = term.negative ? at.phase.bank_negative : at.phase.bank_positive;
            accumulators.template add<Set>(p, enabled[p], bank, row[p], term.value);
        }
        if (stages.issuing && stages.hold == 0)
            issue<1 - Set>();
        else if (stages.hold != 0)
            --stages.hold;
    }

    // Each unit takes one item: an LSTM cell with its four gate rows, or one row of another matrix.
    template <int Set> void issue() {
        ESE_INLINE
        const Phase &phase = stages.phase;
        bool lstm = phase.stage == Stage::lstm;
    units:
        for (int u = 0; u < C::units; ++u) {
            ESE_UNROLL
            address_t item = stages.item + u;
            ap_uint<log2_ceil(C::param_depth)> param = phase.param_base + item / C::units;
            ap_uint<log2_ceil(C::cell_depth)> cell = phase.cell_base + item / C::units;
            bool valid = item < phase.items;
            int own_gate = stages.local[u] & (gates - 1);
            address_t group = lstm ? stages.local[u] : address_t(stages.local[u] >> 2);
            sum_t sums[gates];
        rows:
            for (int g = 0; g < gates; ++g) {
                ESE_UNROLL
                // a plain row lies in accumulator column own_gate, its parameters always in column 0
                acc_t acc[C::acc_banks];
                if (valid && (lstm || g == 0)) {
                    accumulators.template drain<Set>(stages.pe[u], lstm ? g : own_gate, group, acc);
                    scale_t scale[C::acc_banks];
                    for (int b = 0; b < C::acc_banks; ++b) {
                        ESE_UNROLL
                        scale[b] = memory.scale[u][g][b][param];
                    }
                    sums[g] = scaled_sum<C>(acc, scale, memory.bias[u][g][param], phase);
                }
            }
            typename Stages<C>::Item &slot = stages.pipe[0][u];
            slot.valid = valid;
            slot.index = item;
            if (valid && lstm) {
                constant_t peephole[3];
                for (int g = 0; g < 3; ++g) {
                    ESE_UNROLL
                    peephole[g] = memory.peephole[u][g][cell];
                }
                constant_t before = stages.zero_state ? constant_t(0) : memory.cell[u][cell];
                slot.result = lstm_cell<C>(sums, before, peephole, phase, memory.lines, memory.table[u]);
                memory.cell[u][cell] = slot.result.cell;
            } else if (valid) {
                slot.result = dense_row(sums[0], phase);
            }
            ap_uint<8> next = stages.pe[u] + C::units;
            bool wraps = next >= C::pes;
            stages.pe[u] = wraps ? ap_uint<8>(next - C::pes) : next;
            stages.local[u] += wraps ? 1 : 0;
        }
        stages.item += C::units;
        stages.draining = writeback;
        stages.issuing = stages.item < phase.items;
        bool emits = trace || (phase.emits && stages.outputs);
        stages.hold = !emits ? 0 : (trace ? 4 : 2) * C::units - 1;
    }

    // What the next iteration does.
    void control() {
        ESE_INLINE
        switch (at.state) {
        case State::fetch:
            fetch();
            break;
        case State::matrix:
            advance_entry();
            break;
        case State::launch:
            if (!stages.busy())
                launch();
            break;
        default:
            break;
        }
    }

    void fetch() {
        ESE_INLINE
        if (at.index == memory.phase_count) {
            end_of_table();
            return;
        }
        at.phase = memory.phases[at.index];
        if (at.skips()) {
            ++at.index;
            return;
        }
        bool hazard = stages.writes(at.phase.source_ram) || (stages.issuing && stages.set == set_of(at));
        if (hazard || (at.phase.waits_frame && !frames.ready))
            return;
        at.entry = 0;
        at.word = at.phase.entry_base;
        at.slot = 0;
    positions:
        for (int p = 0; p < C::pes; ++p) {
            ESE_UNROLL
            position[p] = -1;
        }
        bool empty = at.phase.entry_count == 0 || (at.phase.zero_state && at.zero_state);
        if (empty)
            end_of_matrix();
        else
            at.state = State::matrix;
    }

    void advance_entry() {
        ESE_INLINE
        bool full = at.slot == Shape<C>::entries_per_word - 1;
        at.slot = full ? ap_uint<3>(0) : ap_uint<3>(at.slot + 1);
        at.word += full ? 1 : 0;
        ++at.entry;
        if (at.entry == at.phase.entry_count)
            end_of_matrix();
    }

    void end_of_matrix() {
        ESE_INLINE
        if (at.phase.frees_frame && frames.left != 0) {
            --frames.left;
            frames.element = 0;
            frames.storing = true;
        }
        if (at.phase.frees_frame)
            frames.ready = false;
        if (at.phase.stage == Stage::none)
            next_phase();
        else
            at.state = State::launch;
    }

    void launch() {
        ESE_INLINE
        stages.phase = at.phase;
        stages.set = set_of(at);
        stages.outputs = !at.phase.output_last_only || at.last();
        stages.zero_state = at.zero_state;
        stages.issuing = at.phase.items != 0;
        stages.item = 0;
    units:
        for (int u = 0; u < C::units; ++u) {
            ESE_UNROLL
            stages.pe[u] = u;
            stages.local[u] = 0;
        }
        next_phase();
    }

    void next_phase() {
        ESE_INLINE
        ++at.index;
        at.state = State::fetch;
    }

    void end_of_table() {
        ESE_INLINE
        at.index = 0;
        if (at.prologue) {
            at.prologue = false;
        } else {
            at.zero_state = false;
            ++at.step;
            if (at.step == at.steps)
                at.state = State::finish;
        }
    }
};

} // namespace ese

#endif
