// SPDX-License-Identifier: Apache-2.0
// Tests of the scanner: each element that counts comes out once, in order, with the entries of its column. A row takes
// one iteration for each element that counts, at least one. In a delta phase the changes beyond the threshold come out,
// relative to the value that was last broadcast.
#include "check.h"
#include "engine/scan.h"

using namespace ese;

struct Small {
    static constexpr Weights weights = Weights::int4;
    static constexpr Mode mode = Mode::skip;
    static constexpr int gap_bits = 4, pes = 2, units = 1, acc_bits = 28, acc_banks = 1;
    static constexpr int fifo_depth = 2, pointer_depth = 64, delta_depth = 32;
    static constexpr bool full_phases = false;
    static constexpr int window = 0;
    static constexpr bool lstm = true;
    static constexpr bool gru = false;
    static constexpr int sets = 1;
    static constexpr int entry_depth = 64, phases = 2, vector_depth = 64, param_depth = 2, cell_depth = 2;
};

static Memories<Small> memory;
static Scanner<Small> scanner;

struct Step {
    int column, value;
};

// Scan a vector to its end, with random stalls; returns how many elements came out, and in `iterations` how many
// iterations it took.
static int scan(const Phase &phase, bool fresh, Step found[64], int &iterations, Random &random) {
    int count = 0;
    scanner.start(fresh);
    for (iterations = 0; !scanner.over(phase);) {
        if (random.bits(2) < 0)
            continue;
        ++iterations;
        if (scanner.arrived().valid) {
            const Column<Small> &column = scanner.arrived().column[1];
            CHECK_EQUAL(column.end.word - column.begin.word, 1);
            CHECK_EQUAL(column.begin.slot, 1);
            found[count].column = column.begin.word - phase.scan.pointer_base;
            found[count].value = column.x;
            ++count;
        }
        scanner.step(memory, phase);
    }
    return count;
}

int main() {
    Random random(5);
    Phase phase;
    phase.source_ram = true;
    phase.source_base = 8;
    phase.scan.pointer_base = 3;
    phase.scan.last_base = 4;
    for (int i = 0; i < Small::pointer_depth; ++i)
        memory.pointers[0][i] = memory.pointers[1][i] = i << Shape<Small>::slot_bits | 1;
    scanner.clear();
    for (int round = 0; round < 200; ++round) {
        bool delta = (round & 1) != 0;
        phase.scan.delta = delta;
        phase.scan.columns = 1 + (int)(random.bits(6) & 15);
        phase.scan.threshold = (int)(random.bits(8) & 63);
        int x[16], last[16] = {};
        for (int step = 0; step < 3; ++step) {
            for (int i = 0; i < 16; ++i) {
                x[i] = random.bits(2) < 0 ? 0 : (int)random.bits(8);
                Write write = {{true, false}, {(address_t)(8 + i), 0}, {x[i], 0}};
                write_banks<Small>(memory.vectors[1], write);
            }
            Step found[64];
            int iterations, at = 0, count = scan(phase, step == 0, found, iterations, random);
            for (int i = 0; i < phase.scan.columns; ++i) {
                int value = x[i] - (delta ? last[i] : 0);
                if (std::abs(value) <= (delta ? (int)phase.scan.threshold : 0))
                    continue;
                CHECK_EQUAL(found[at].column, i);
                CHECK_EQUAL(found[at].value, value);
                last[i] = x[i];
                ++at;
            }
            CHECK_EQUAL(count, at);
            int rows = (phase.scan.columns + scan_width - 1) / scan_width;
            CHECK_EQUAL(iterations <= rows + count + 2 * read_ahead, true);
        }
    }
    return 0;
}
