// SPDX-License-Identifier: Apache-2.0
// Answers packets (docs/reference/packets.md). A packet is a sequence of 32-bit words, whichever interface carries
// them.
#ifndef ESE_PACKET_H
#define ESE_PACKET_H

#include "loader.h"

namespace ese {

// The status of the last packet, as the registers and the trailer report it.
struct Status {
    word_t operation, error, image_id, sequences, steps;
    uint_t<64> cycles;
};

// Whether the packet asks for this operation.
inline bool is(const Status &status, Operation operation) {
    ESE_INLINE
    return status.operation == word_t(number(operation));
}

// Run the sequences of a RUN packet, whose operation word has already been read from `in`; `crc` takes its outputs.
template <class C, class In, class Out, class Stream>
Error run_packet(Memories<C> &memory, Accumulators<C> &accumulators, In &in, Out &out, Stream &from, Stream &to,
                 word_t &crc, Status &status) {
    static_assert(number(RunWord::flags) == 1 && number(RunWord::image_id) == 2 && number(RunWord::sequences) == 3,
                  "the words behind the operation are read in this order");
    word_t flags = in.word(from), image = in.word(from), sequences = in.word(from);
    if (memory.image_id == 0)
        return Error::no_image;
    if (image != memory.image_id)
        return Error::wrong_image;
    if (sequences == 0 || sequences > max_sequences)
        return Error::bad_length;
sequences:
    for (word_t s = 0; s < sequences; ++s) {
        word_t steps = in.word(from);
        if (steps == 0 || steps > max_steps)
            return Error::bad_length;
        status.cycles += run<C>(memory, accumulators, in, out, from, to, crc, steps, has(flags, RunFlag::keep),
                                has(flags, RunFlag::trace));
        status.sequences += 1;
        status.steps += steps;
        if (in.ended_early())
            return Error::short_packet;
    }
    return Error::ok;
}

// Answer one packet, which comes `from` a stream, with its outputs and then the trailer. `In` has word(stream),
// ended_early(), and drain(stream), which takes the words that are left and returns whether there were any; `Out` has
// word(stream, value) and last(stream).
template <class C, class In, class Out, class Stream>
Status serve(Memories<C> &memory, Accumulators<C> &accumulators, In &in, Out &out, Stream &from, Stream &to) {
    Status status;
    status.error = status.sequences = status.steps = 0;
    status.cycles = 0;
    word_t crc = crc_start;
    word_t operation = in.word(from);
    status.operation = operation - operation_base;
    Error error = Error::ok;
    if (is(status, Operation::load)) {
        static_assert(number(LoadWord::words) == 1, "the image's words are counted behind the operation");
        word_t words = in.word(from);
        Loader<C> loader(words);
        error = loader.load(memory, in, from);
    } else if (is(status, Operation::run)) {
        error = run_packet<C>(memory, accumulators, in, out, from, to, crc, status);
    } else if (is(status, Operation::reset)) {
        forget<C>(memory, accumulators);
    } else {
        status.operation = number(Operation::unreadable);
        error = Error::bad_operation;
    }
    bool left = in.drain(from);
    if (in.ended_early())
        error = Error::short_packet;
    else if (left && error == Error::ok)
        error = Error::long_packet;
    if (is(status, Operation::load) && error != Error::ok)
        memory.image_id = 0;
    if (is(status, Operation::load) || error != Error::ok)
        forget<C>(memory, accumulators);
    status.error = number(error);
    status.image_id = memory.image_id;
    static_assert(number(TrailerWord::crc) == trailer_words - 1, "the CRC is that of all words before it");
    word_t trailer[trailer_words - 1];
    trailer[number(TrailerWord::magic)] = trailer_magic;
    trailer[number(TrailerWord::operation)] = status.operation;
    trailer[number(TrailerWord::error)] = status.error;
    trailer[number(TrailerWord::image_id)] = status.image_id;
    trailer[number(TrailerWord::sequences)] = status.sequences;
    trailer[number(TrailerWord::steps)] = status.steps;
    trailer[number(TrailerWord::cycles_low)] = status.cycles;
    trailer[number(TrailerWord::cycles_high)] = status.cycles >> 32;
words:
    for (int i = 0; i < trailer_words - 1; ++i)
        send(out, to, crc, trailer[i]);
    out.word(to, ~crc);
    out.last(to);
    return status;
}

} // namespace ese

#endif
