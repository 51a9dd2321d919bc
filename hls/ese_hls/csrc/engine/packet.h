// Packets in, packets out (docs/packets.md): plain 32-bit words, whatever carries them.
#ifndef ESE_PACKET_H
#define ESE_PACKET_H

#include "loader.h"

namespace ese {

constexpr unsigned operation_base = 0x45530000; // "ES", then 1 LOAD, 2 RUN, 3 RESET
constexpr unsigned trailer_magic = 0x45534544;
constexpr int trailer_words = 8;
constexpr int max_steps = 65535;

// What the registers and the trailer tell of the last packet.
struct Status {
    word_t operation, error, image_id, sequences, steps;
    uint_t<64> cycles;
};

// Run the sequences of one RUN packet; `in` stands behind the operation word.
template <class C, class In, class Out> Error run_packet(Engine<C> &engine, In &in, Out &out, Status &status) {
    word_t flags = in.word(), image = in.word(), sequences = in.word();
    if (engine.memory.image_id == 0)
        return Error::no_image;
    if (image != engine.memory.image_id)
        return Error::wrong_image;
    if (sequences == 0 || sequences > max_steps)
        return Error::bad_length;
    engine.trace = bit(flags, 0);
sequences:
    for (word_t s = 0; s < sequences; ++s) {
        word_t steps = in.word();
        if (steps == 0 || steps > max_steps)
            return Error::bad_length;
        status.cycles += engine.run(in, out, steps, bit(flags, 1));
        status.sequences += 1;
        status.steps += steps;
        if (in.ended_early())
            return Error::short_packet;
    }
    return Error::ok;
}

// Answer one packet: outputs, then the trailer. `In` also has ended_early() and drain(), which tells whether words
// were left.
template <class C, class In, class Out> Status serve(Engine<C> &engine, In &in, Out &out) {
    Status status;
    status.error = status.sequences = status.steps = 0;
    status.cycles = 0;
    word_t operation = in.word();
    status.operation = operation - operation_base;
    Error error = Error::ok;
    if (status.operation == 1) {
        word_t words = in.word();
        word_t header[header_words];
        Loader<C, In> loader(engine.memory, in, words, header);
        error = loader.load();
    } else if (status.operation == 2) {
        error = run_packet(engine, in, out, status);
    } else if (status.operation == 3) {
        engine.forget();
    } else {
        status.operation = 0;
        error = Error::bad_operation;
    }
    bool left = in.drain();
    if (in.ended_early())
        error = Error::short_packet;
    else if (left && error == Error::ok)
        error = Error::long_packet;
    if (status.operation == 1 && error != Error::ok)
        engine.memory.image_id = 0;
    if (status.operation == 1 || error != Error::ok)
        engine.forget();
    status.error = static_cast<int>(error);
    status.image_id = engine.memory.image_id;
    const word_t trailer[trailer_words] = {trailer_magic,         status.operation,           status.error,
                                           status.image_id,       status.sequences,           status.steps,
                                           word_t(status.cycles), word_t(status.cycles >> 32)};
words:
    for (int i = 0; i < trailer_words; ++i)
        out.word(trailer[i]);
    out.last();
    return status;
}

} // namespace ese

#endif
