// Tests of the accumulators: consecutive entries of the same row are summed exactly, sets and banks do not mix, and
// draining clears sums that do not persist.
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
    static constexpr int group_depth = 2, vector_depth = 8, param_depth = 8, cell_depth = 8;
};

int main() {
    static Accumulators<Small> accumulators;
    accumulators.clear();
    long long expected[2][2][3][8] = {};
    Random random(2);
    for (int i = 0; i < 5000; ++i) {
        int p = i % 3, row = (int)(random.bits(8) & (i & 64 ? 1 : 7)), bank = (int)(random.bits(4) & 1);
        bool enabled = random.bits(8) > -100;
        int term = (int)random.bits(10);
        if (i & 512)
            accumulators.add<1>(p, enabled, bank, row, term);
        else
            accumulators.add<0>(p, enabled, bank, row, term);
        expected[i & 512 ? 1 : 0][bank][p][row] += enabled ? term : 0;
    }
    for (int pass = 0; pass < 3; ++pass)
        for (int p = 0; p < 3; ++p)
            for (int row = 0; row < 8; ++row) {
                Accumulators<Small>::acc_t first[2], second[2];
                bool persist = pass == 0;
                accumulators.drain<0>(p, row % 4, row / 4, persist, first);
                accumulators.drain<1>(p, row % 4, row / 4, persist, second);
                for (int b = 0; b < 2; ++b) {
                    CHECK_EQUAL(first[b], pass == 2 ? 0 : expected[0][b][p][row]);
                    CHECK_EQUAL(second[b], pass == 2 ? 0 : expected[1][b][p][row]);
                }
            }
    return 0;
}
