#include "core.h"

#pragma HLS interface mode = axis port = in
#pragma HLS interface mode = axis port = out
extern "C" unsigned ese_core(ese::words_t &in, ese::words_t &out) {
    static ese::Engine<ese::Config> engine;
    ese::CountedIn packet(in);
    ese::PlainOut reply(out);
    ese::serve(engine, packet, reply);
    return packet.sum;
}
