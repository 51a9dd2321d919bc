// The element-wise stage at work: which items are under way, when their results are written, which words leave.
#ifndef ESE_STAGES_H
#define ESE_STAGES_H

#include "elementwise.h"
#include "vectors.h"

namespace ese {

// Words that wait to leave, one an iteration.
template <class C> struct Emission {
    word_t words[trace_words * C::units];
    uint_t<5> left;
    word_t low; // first value of a pair that is not yet whole

    void push(word_t word) {
        ESE_INLINE
        words[left] = word;
        ++left;
    }

    // An unrounded value, two words.
    void push_exact(int_t<64> value) {
        ESE_INLINE
        push(uint_t<64>(value) & 0xFFFFFFFFu);
        push(uint_t<64>(value) >> 32);
    }

    // A stored value, half a word; `last` ends a packet of values with a half that is zero.
    void push_stored(element_t value, bool odd, bool last) {
        ESE_INLINE
        word_t half = value & ((1 << stored_bits) - 1);
        if (odd)
            push(low | half << stored_bits);
        else if (last)
            push(half);
        low = half;
    }

    template <class Out> void pop(Out &out) {
        ESE_INLINE
        if (left == 0)
            return;
        out.word(words[0]);
    shift:
        for (int w = 0; w + 1 < trace_words * C::units; ++w) {
            ESE_UNROLL
            words[w] = words[w + 1];
        }
        left -= 1;
    }
};

// A result on its way: it is written `writeback` iterations after it was issued, so that HLS has time to compute it
// while the write stands at the same place of the loop as the reads of the same memory.
template <class C> struct Stages {
    struct Item {
        bool valid;
        address_t index;
        Result result;
    };

    Phase phase;
    bool set, outputs, zero_state;
    bool issuing;
    uint_t<6> draining; // iterations until the last issued item is written
    uint_t<17> item;    // first unit's next item
    uint_t<8> turn;     // item i is of PE i mod P: unit u drains PE turn * units + u, and no other unit does
    address_t local;    // and of its row or group i div P
    uint_t<4> hold;     // iterations until the next issue, while results leave word by word
    Item pipe[writeback][C::units];
    Emission<C> emission;

    bool busy() const { return issuing || draining != 0; }

    bool writes(bool ram) const {
        return busy() && ((phase.first.enabled && phase.first.ram == ram) ||
                          (phase.second.enabled && phase.second.ram == ram && outputs));
    }

    void clear() {
        issuing = false;
        draining = 0;
        hold = 0;
        emission.left = 0;
    pipe:
        for (int d = 0; d < writeback; ++d)
            for (int u = 0; u < C::units; ++u)
                pipe[d][u].valid = false;
    }

    // Begin the stage that follows a matrix.
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
    }

    // Take the results that were issued `writeback` iterations ago: to the vector RAMs and to the output.
    void retire(bool trace, Write writes[2]) {
        ESE_INLINE
    units:
        for (int u = 0; u < 2; ++u) {
            ESE_UNROLL
            bool valid = u < C::units && pipe[writeback - 1][u < C::units ? u : 0].valid;
            const Item &done = pipe[writeback - 1][u < C::units ? u : 0];
        rams:
            for (int r = 0; r < 2; ++r) {
                ESE_UNROLL
                bool first = phase.first.enabled && phase.first.ram == (r != 0);
                bool second = phase.second.enabled && phase.second.ram == (r != 0) && outputs;
                writes[r].enabled[u] = valid && (first || second);
                writes[r].address[u] = done.index + (first ? phase.first.base : phase.second.base);
                writes[r].value[u] = first ? done.result.stored : done.result.output;
            }
            if (valid)
                emit(trace, done);
        }
        if (draining != 0)
            draining -= 1;
    shift:
        for (int d = writeback - 1; d > 0; --d) {
            ESE_UNROLL
            for (int u = 0; u < C::units; ++u) {
                ESE_UNROLL
                pipe[d][u] = pipe[d - 1][u];
            }
        }
        for (int u = 0; u < C::units; ++u) {
            ESE_UNROLL
            pipe[0][u].valid = false;
        }
    }

    void emit(bool trace, const Item &done) {
        ESE_INLINE
        if (trace) {
            emission.push_exact(done.result.exact);
            emission.push(int_t<32>(done.result.stored));
            emission.push(int_t<32>(done.result.cell));
        } else if (phase.emits && outputs && phase.emits_stored) {
            emission.push_stored(done.result.output, (done.index & 1) != 0, done.index + 1 == phase.items);
        } else if (phase.emits && outputs) {
            emission.push_exact(done.result.exact);
        }
    }

    // After an issue: how long the next one waits for the words of this one to leave.
    void hold_back(bool trace) {
        ESE_INLINE
        bool exact = phase.emits && outputs && !phase.emits_stored;
        hold = trace ? trace_words * C::units - 1 : exact ? exact_words * C::units - 1 : 0;
    }
};

} // namespace ese

#endif
