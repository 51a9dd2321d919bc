// The plain-word top, for tools that know no AXI4-Stream side channels: a packet is the number of its words, then the
// words. PandA Bambu takes it; Vitis HLS takes top.h, with the same engine.
#ifndef ESE_CORE_H
#define ESE_CORE_H

#include "../config.h"
#include "../engine/packet.h"

namespace ese {

using words_t = hls::stream<unsigned>;

// Words of one packet. Behind its last it supplies zeros, as the AXI top does behind TLAST. Their sum is the top's
// result: a word that nothing used would not be taken from the stream.
struct CountedIn {
    words_t &stream;
    unsigned left, sum;
    bool missing;

    explicit CountedIn(words_t &source) : stream(source), left(source.read()), sum(0), missing(false) {}

    word_t word() {
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

    // Take what is left; tells whether there was any.
    bool drain() {
        bool any = left != 0;
    words:
        while (left != 0)
            word();
        return any;
    }
};

// Words of the answer, as they come; the trailer's are the last.
struct PlainOut {
    words_t &stream;

    explicit PlainOut(words_t &sink) : stream(sink) {}

    void word(word_t value) {
        ESE_INLINE
        stream.write(static_cast<unsigned>(value));
    }

    void last() {}
};

} // namespace ese

// Answers one packet; returns the exclusive or of the words it took.
extern "C" unsigned ese_core(ese::words_t &in, ese::words_t &out);

#endif
