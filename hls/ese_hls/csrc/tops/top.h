// SPDX-License-Identifier: Apache-2.0
// The AXI top: packets over AXI4-Stream with TLAST, and AXI4-Lite registers. The first call fills the registers, and
// every further one answers one packet.
#ifndef ESE_TOP_H
#define ESE_TOP_H

#include "../config.h"
#include "../engine/packet.h"
#include <ap_axi_sdata.h>

namespace ese {

using beat_t = ap_axiu<32, 0, 0, 0>;
using axis_t = hls::stream<beat_t>;

// The words of one packet. After TLAST it supplies zeros, so that the engine never waits for words that will not come.
struct PacketIn {
    bool ended, missing;

    PacketIn() : ended(false), missing(false) {}

    word_t word(axis_t &stream) {
        ESE_INLINE
        if (ended) {
            missing = true;
            return 0;
        }
        beat_t beat = stream.read();
        ended = beat.last != 0;
        return beat.data.to_uint();
    }

    bool ended_early() const { return missing; }

    // Take the words that are left, up to TLAST; returns whether there were any.
    bool drain(axis_t &stream) {
        bool any = false;
    words:
        while (!ended) {
            word(stream);
            any = true;
        }
        return any;
    }
};

// The words of the answer. One is always held back, so that the last one can carry TLAST.
struct PacketOut {
    bool holding;
    word_t held;

    PacketOut() : holding(false), held(0) {}

    void word(axis_t &stream, word_t value) {
        ESE_INLINE
        if (holding)
            write(stream, false);
        held = value;
        holding = true;
    }

    void last(axis_t &stream) { write(stream, true); }

  private:
    void write(axis_t &stream, bool is_last) {
        ESE_INLINE
        beat_t beat;
        beat.data = static_cast<unsigned>(held);
        beat.keep = -1;
        beat.strb = -1;
        beat.last = is_last;
        stream.write(beat);
    }
};

// The AXI4-Lite registers. Their offsets are in the pragmas of top.cpp; a test compares them with contract.h.
struct Registers {
    word_t design_id, image_id, cycles_low, cycles_high, error, version;
};

// One call of the top. Vitis HLS makes of an output a register that holds zero until a call writes it, and a call that
// waits for a packet has written nothing. So the first call after configuration or reset takes no packet: the host
// reads the design id as soon as it has started the engine.
inline void call(Memories<Config> &memory, Accumulators<Config> &accumulators, bool &started, axis_t &in, axis_t &out,
                 Registers &registers) {
    ESE_INLINE
    Status status;
    status.error = 0;
    status.cycles = 0;
    status.image_id = memory.image_id;
    if (started) {
        PacketIn packet;
        PacketOut reply;
        status = serve<Config>(memory, accumulators, packet, reply, in, out);
    }
    started = true;
    registers.design_id = Config::design_id;
    registers.image_id = status.image_id;
    registers.cycles_low = status.cycles;
    registers.cycles_high = status.cycles >> 32;
    registers.error = status.error;
    registers.version = protocol_version;
}

} // namespace ese

void ese_top(ese::axis_t &in, ese::axis_t &out, ese::word_t &design_id, ese::word_t &image_id, ese::word_t &cycles_low,
             ese::word_t &cycles_high, ese::word_t &error, ese::word_t &version);

#endif
