// SPDX-License-Identifier: Apache-2.0
// Computes cells of a GRU: reads the lines of the activations and the tanh table, then for each cell its stage, its
// four sums and its h, and writes the result before rounding. Both files hold binary words of 64 bits.
#include "config.h"
#include "engine/elementwise.h"
#include <cstdio>

using namespace ese;

int main(int arguments, char **argument) {
    if (arguments != 3)
        return 2;
    std::FILE *in = std::fopen(argument[1], "rb"), *out = std::fopen(argument[2], "wb");
    if (in == nullptr || out == nullptr)
        return 2;
    long long word[6];
    if (std::fread(word, 8, 4, in) != 4)
        return 2;
    Lines lines;
    lines.gate.slope = word[0];
    lines.gate.offset = word[1];
    lines.cell.slope = word[2];
    lines.cell.offset = word[3];
    static word_t table[Shape<Config>::tables][table_size];
    for (int i = 0; i < table_size; ++i) {
        if (std::fread(word, 8, 1, in) != 1)
            return 2;
        for (int t = 0; t < Shape<Config>::tables; ++t)
            table[t][i] = word[0];
    }
    while (std::fread(word, 8, 6, in) == 6) {
        Phase phase = {};
        phase.stage = Stage(word[0]);
        const sum_t sums[gates] = {word[1], word[2], word[3], word[4]};
        const constant_t peephole[3] = {0, 0, 0};
        word[0] = (long long)cell_of<Config>(sums, constant_t(word[5]), peephole, phase, lines, table).h;
        std::fwrite(word, 8, 1, out);
    }
    std::fclose(in);
    return std::fclose(out);
}
