// SPDX-License-Identifier: Apache-2.0
#include "core.h"

#pragma HLS interface mode = axis port = in
#pragma HLS interface mode = axis port = out
extern "C" unsigned ese_core(ese::words_t &in, ese::words_t &out) {
    static ese::Memories<ese::Config> memory;
    ESE_MEMORIES(memory)
    static ese::Accumulators<ese::Config> accumulators;
    ESE_ACCUMULATORS(accumulators)
    ese::CountedIn packet(in);
    ese::PlainOut reply;
    ese::serve<ese::Config>(memory, accumulators, packet, reply, in, out);
    return packet.sum;
}
