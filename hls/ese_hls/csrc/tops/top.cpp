// SPDX-License-Identifier: Apache-2.0
#include "top.h"

void ese_top(ese::axis_t &in, ese::axis_t &out, ese::word_t &design_id, ese::word_t &image_id, ese::word_t &cycles_low,
             ese::word_t &cycles_high, ese::word_t &error, ese::word_t &version) {
#pragma HLS interface mode = axis port = in
#pragma HLS interface mode = axis port = out
#pragma HLS interface mode = s_axilite port = design_id offset = 0x10
#pragma HLS interface mode = s_axilite port = image_id offset = 0x20
#pragma HLS interface mode = s_axilite port = cycles_low offset = 0x30
#pragma HLS interface mode = s_axilite port = cycles_high offset = 0x40
#pragma HLS interface mode = s_axilite port = error offset = 0x50
#pragma HLS interface mode = s_axilite port = version offset = 0x60
#pragma HLS interface mode = s_axilite port = return
    static ese::Memories<ese::Config> memory;
    ESE_MEMORIES(memory)
    static ese::Accumulators<ese::Config> accumulators;
    ESE_ACCUMULATORS(accumulators)
    static bool started = false;
#pragma HLS reset variable = started
    ese::Registers registers;
    ese::call(memory, accumulators, started, in, out, registers);
    design_id = registers.design_id;
    image_id = registers.image_id;
    cycles_low = registers.cycles_low;
    cycles_high = registers.cycles_high;
    error = registers.error;
    version = registers.version;
}
