// The element-wise stage: it keeps track of the items in flight, of when their results are written, and of the words
// that leave the engine.
#ifndef ESE_STAGES_H
#define ESE_STAGES_H

#include "crc.h"
#include "elementwise.h"
#include "vectors.h"

namespace ese {

// The words that wait to leave; one leaves per iteration.
template <class C> struct Emission {
    word_t words[trace_words * C::units];
    uint_t<5> left;
    word_t low; // first value of a pair whose second is still missing

    void push(word_t word) {
        ESE_INLINE
        words[left] = word;
        ++left;
    }

    // Append an unrounded value, which takes two words.
    void push_exact(int_t<64> value) {
        ESE_INLINE
        push(uint_t<64>(value) & 0xFFFFFFFFu);
        push(uint_t<64>(value) >> 32);
    }

    // Append a stored value, which takes half a word. If the `last` value leaves half a word, that half is zero.
    void push_stored(element_t value, bool odd, bool last) {
        ESE_INLINE
        word_t half = value & ((1 << stored_bits) - 1);
        if (odd)
            push(low | half << stored_bits);
        else if (last)
            push(half);
        low = half;
    }

    template <class Out> void pop(Out &out, word_t &crc) {
        ESE_INLINE
        if (left == 0)
            return;
        send(out, crc, words[0]);
    shift:
        for (int w = 0; w + 1 < trace_words * C::units; ++w) {
            ESE_UNROLL
            words[w] = words[w + 1];
        }
        left -= 1;
    }
};

// The stage that follows a matrix, and its results in flight. A result is written `writeback` iterations after its item
// was issued. This gives HLS time to compute it, although the write is at the same place of the loop as the reads of
// the same memory.
template <class C> struct Stages {
    struct Item {
        bool valid;
        address_t index;
        Result result;
    };

    Phase phase;
    // `set` is drained; `outputs`: second target and output take part in this step; `zero_state`: h and c are zero.
    bool set, outputs, zero_state;
    bool issuing;       // some items have not been issued yet
    uint_t<6> draining; // iterations until the item issued last is written
    uint_t<17> item;    // next item of the first unit
    uint_t<9> turn;     // item i belongs to PE i mod P; unit u drains PE turn * units + u, which no other unit drains
    address_t local;    // row or group of the next item within its PE: i div P
    uint_t<4> hold;     // iterations until the next items may be issued, while the words of the last ones leave
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

    // Begin the stage after the matrix of phase `next`.
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

    // Send the results of the items issued `writeback` iterations ago to the vector RAMs and to the output.
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

    // After items were issued: set how long the next ones wait until the words of these have left.
    void hold_back(bool trace) {
        ESE_INLINE
        bool exact = phase.emits && outputs && !phase.emits_stored;
        hold = trace ? trace_words * C::units - 1 : exact ? exact_words * C::units - 1 : 0;
    }
};

} // namespace ese

#endif
