// SPDX-License-Identifier: Apache-2.0
// The sequencer: it decides which phase the PEs execute, and when the next input frame is stored.
#ifndef ESE_SEQUENCER_H
#define ESE_SEQUENCER_H

#include "feed.h"
#include "stages.h"

namespace ese {

// `read`: the phase's record is read; `fetch`: it is decided whether and when its matrix begins.
enum class State { read, fetch, matrix, launch, finish };

// The input frame. It is stored in vector RAM A from address 0 on, one word with two elements per iteration.
struct Frames {
    uint_t<17> left;    // frames not yet begun
    uint_t<15> element; // next element of the frame being stored
    bool storing, ready;

    void begin(uint_t<17> frames) {
        left = frames;
        ready = false;
        next();
    }

    // Start to store the next frame, if there is one.
    void next() {
        ESE_INLINE
        storing = left != 0;
        left -= storing ? 1 : 0;
        element = 0;
    }

    // Store one word of the frame. This is called when neither the PEs nor a result use vector RAM A.
    template <class C, class In, class Stream> void store(In &in, Stream &from, uint_t<14> inputs, Write &write) {
        ESE_INLINE
        word_t word = in.word(from);
    halves:
        for (int h = 0; h < 2; ++h) {
            ESE_UNROLL
            element_t code = field(word, stored_bits * h, stored_bits);
            write.enabled[h] = element + h < inputs;
            write.address[h] = element + h;
            write.value[h] =
                C::source_signed && code >= (1 << (stored_bits - 1)) ? element_t(code - (1 << stored_bits)) : code;
        }
        element += 2;
        ready = element >= inputs;
        storing = !ready;
    }
};

// The progress of a sequence. Every iteration ends with `advance`, which decides what the next one does.
template <class C> struct Sequencer {
    State state;
    Phase phase;     // the phase fetched last
    uint_t<7> index; // its index in the table
    bool prologue;   // before the first step, while only the phases that work for the next step are run
    bool zero_state; // h and c are zero, as they may be until the first step is over
    uint_t<17> step, steps;
    Frames frames;

    void begin(uint_t<17> count, bool zero) {
        state = State::read;
        index = 0;
        prologue = true;
        zero_state = zero;
        step = 0;
        steps = count;
        frames.begin(count);
    }

    bool last() const { return step + 1 == steps; }

    // Whether the sequence goes on. A frame that is being stored is stored to its end, although no phase of a hostile
    // image may wait for it.
    bool under_way(const Stages<C> &stages) const {
        ESE_INLINE
        return state != State::finish || frames.storing || stages.busy() || stages.emission.left != 0;
    }

    bool matrix() const { return state == State::matrix; }

    // Whether the PEs read vector RAM `ram` in this iteration.
    bool reads(bool ram) const { return matrix() && phase.source_ram == ram; }

    // The accumulator set of the phase. With `alternate`, the two sets change roles with every step.
    bool set(bool alternate) const {
        uint_t<17> of_step = step;
        if (phase.ahead && !prologue)
            ++of_step;
        return phase.set != (alternate && (of_step & 1) != 0);
    }

    void advance(Memories<C> &memory, Stages<C> &stages, Feed<C> &feed) {
        ESE_INLINE
        switch (state) {
        case State::read:
            if (index == memory.phase_count) {
                end_of_table();
            } else {
                phase = memory.phase(index);
                state = State::fetch;
            }
            break;
        case State::fetch:
            fetch(memory, stages, feed);
            break;
        case State::matrix:
            if (feed.over(phase))
                end_of_matrix();
            break;
        case State::launch:
            if (!stages.busy()) {
                stages.launch(phase, set(memory.alternate), last(), zero_state);
                next_phase();
            }
            break;
        default:
            break;
        }
    }

  private:
    // Whether the phase is left out now: in the prologue or in this step.
    bool skips() const { return prologue ? !phase.ahead : ((phase.ahead && last()) || (phase.last_only && !last())); }

    void fetch(Memories<C> &memory, const Stages<C> &stages, Feed<C> &feed) {
        ESE_INLINE
        if (skips()) {
            next_phase();
            return;
        }
        // The PEs must not read a vector RAM that the stage still writes, nor fill a set that it still drains.
        bool hazard = stages.writes(phase.source_ram) || stages.drains(set(memory.alternate));
        // Wait for a frame only while one is being stored, because a hostile image may ask for more than there are.
        if (hazard || (phase.waits_frame && !frames.ready && frames.storing))
            return;
        if (phase.entry_count == 0 || (phase.zero_state && zero_state)) {
            end_of_matrix();
            return;
        }
        feed.start(memory, phase, index);
        state = State::matrix;
    }

    void end_of_matrix() {
        ESE_INLINE
        if (phase.frees_frame) {
            frames.ready = false;
            frames.next();
        }
        if (phase.stage == Stage::none)
            next_phase();
        else
            state = State::launch;
    }

    void next_phase() {
        ESE_INLINE
        ++index;
        state = State::read;
    }

    void end_of_table() {
        ESE_INLINE
        index = 0;
        if (prologue) {
            prologue = false;
            return;
        }
        zero_state = false;
        ++step;
        if (step == steps)
            state = State::finish;
    }
};

} // namespace ese

#endif
