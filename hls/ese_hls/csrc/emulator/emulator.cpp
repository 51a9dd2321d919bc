// SPDX-License-Identifier: Apache-2.0
// The emulated bitstream, for g++ only: the AXI top of the engine behind a C interface (docs/reference/packets.md).
#include "../tops/top.h"
#include <cstddef>
#include <cstdint>
#include <new>

namespace {

struct Emulated {
    ese::Memories<ese::Config> memory;
    ese::Accumulators<ese::Config> accumulators;
    bool started;
    ese::Registers registers;
    ese::axis_t in, out;

    void call() { ese::call(memory, accumulators, started, in, out, registers); }
};

} // namespace

extern "C" {

void *ese_open(void) {
    Emulated *emulated = new (std::nothrow) Emulated();
    if (emulated == nullptr)
        return nullptr;
    emulated->memory.image_id = 0;
    ese::forget<ese::Config>(emulated->memory, emulated->accumulators);
    emulated->call(); // as the host's start does
    return emulated;
}

void ese_close(void *engine) {
    delete static_cast<Emulated *>(engine);
}

uint32_t ese_register(void *engine, uint32_t offset) {
    const ese::Registers &r = static_cast<Emulated *>(engine)->registers;
    switch (static_cast<ese::Register>(offset)) {
    case ese::Register::design_id:
        return r.design_id;
    case ese::Register::image_id:
        return r.image_id;
    case ese::Register::cycles_low:
        return r.cycles_low;
    case ese::Register::cycles_high:
        return r.cycles_high;
    case ese::Register::error:
        return r.error;
    case ese::Register::version:
        return r.version;
    default:
        return 0;
    }
}

size_t ese_packet(void *engine, const uint32_t *in, size_t in_words, uint32_t *out, size_t out_words) {
    Emulated *emulated = static_cast<Emulated *>(engine);
    if (in_words == 0)
        return 0;
    for (size_t i = 0; i < in_words; ++i) {
        ese::beat_t beat;
        beat.data = in[i];
        beat.keep = -1;
        beat.strb = -1;
        beat.last = i + 1 == in_words;
        emulated->in.write(beat);
    }
    emulated->call();
    size_t words = 0;
    for (; !emulated->out.empty(); ++words) {
        uint32_t value = emulated->out.read().data.to_uint();
        if (words < out_words)
            out[words] = value;
    }
    return words;
}
}
