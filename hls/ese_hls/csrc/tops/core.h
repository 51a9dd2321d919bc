// SPDX-License-Identifier: Apache-2.0
// The plain-word top, for tools that do not know the side channels of AXI4-Stream. A packet is the number of its words,
// followed by the words. PandA Bambu uses this top; Vitis HLS uses top.h with the same engine.
#ifndef ESE_CORE_H
#define ESE_CORE_H

#include "../config.h"
#include "../engine/packet.h"

namespace ese {

using words_t = hls::stream<unsigned>;

// The words of one packet. After the last one it supplies zeros, as the AXI top does after TLAST. The exclusive or of
// all words is the result of the top: if nothing depended on a word, Bambu would not take it from the stream.
struct CountedIn {
    unsigned left, sum;
    bool missing;

    explicit CountedIn(words_t &stream) : left(stream.read()), sum(0), missing(false) {}

    word_t word(words_t &stream) {
        ESE_INLINE
        if (left == 0) {
            missing = true;
            return 0;
        }
        left -= 1;
        unsigned value = stream.read();
        sum ^= value;
        return value;
    }

    bool ended_early() const { return missing; }

    // Take the words that are left; returns whether there were any.
    bool drain(words_t &stream) {
        bool any = left != 0;
    words:
        while (left != 0)
            word(stream);
        return any;
    }
};

// The words of the answer, written as they come. It needs no mark of the end, because the trailer is always the last.
struct PlainOut {
    void word(words_t &stream, word_t value) {
        ESE_INLINE
        stream.write(static_cast<unsigned>(value));
    }

    void last(words_t &) {}
};

} // namespace ese

// Answer one packet; returns the exclusive or of the words that were taken.
extern "C" unsigned ese_core(ese::words_t &in, ese::words_t &out);

#endif
