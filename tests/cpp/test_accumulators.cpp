// SPDX-License-Identifier: Apache-2.0
// Tests of the accumulators: consecutive entries of the same row are summed exactly, sets and banks do not mix, and a
// row that is drained is read, and cleared if it is told.
#include "check.h"
#include "engine/accumulators.h"

using namespace ese;

struct Small {
    static constexpr Weights weights = Weights::ternary;
    static constexpr int gap_bits = 4, pes = 3, units = 1, acc_bits = 24, acc_banks = 2;
    static constexpr Mode mode = Mode::stream;
    static constexpr int fifo_depth = 8, pointer_depth = 0, delta_depth = 0;
    static constexpr bool full_phases = false;
    static constexpr int window = 0;
    static constexpr bool lstm = true;
    static constexpr bool gru = false;
    static constexpr int sets = 1;
    static constexpr int group_depth = 2, vector_depth = 8, param_depth = 8, cell_depth = 8;
};

static Accumulators<Small> ram;

int main() {
    clear<Small>(ram);
    long long expected[2][2][3][8] = {};
    Sum<Small> made[3][add_distance - 1] = {};
    Random random(2);
    for (int i = 0; i < 5000; ++i) {
        bool filled = (i & 512) != 0,
             switched = (i & 511) < add_distance; // sets change roles no faster than a RAM is written
        for (int p = 0; p < 3; ++p) {
            Addition<Small> add;
            add.enabled = !switched && random.bits(8) > -100;
            add.row = (int)(random.bits(8) & (i & 64 ? 1 : 7));
            add.bank = (int)(random.bits(4) & 1);
            add.term = (int)random.bits(10);
            Drained drain;
            drain.row = (int)(random.bits(8) & 7);
            drain.clears = !switched && (random.bits(8) & 7) == 0;
            Shape<Small>::acc_t found[2];
            accumulate<Small>(ram, p, filled, add, drain, made[p], found);
            for (int b = 0; b < 2; ++b) {
                CHECK_EQUAL(found[b], expected[!filled][b][p][drain.row]);
                if (drain.clears)
                    expected[!filled][b][p][drain.row] = 0;
            }
            expected[filled][add.bank][p][add.row] += add.enabled ? (long long)add.term : 0;
        }
    }
    for (int p = 0; p < 3; ++p)
        for (int row = 0; row < 8; ++row)
            for (int b = 0; b < 2; ++b) {
                CHECK_EQUAL(ram[0][b][p][row], expected[0][b][p][row]);
                CHECK_EQUAL(ram[1][b][p][row], expected[1][b][p][row]);
            }
    return 0;
}
