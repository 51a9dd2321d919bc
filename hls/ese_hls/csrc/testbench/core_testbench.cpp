// SPDX-License-Identifier: Apache-2.0
// The test bench of the plain-word top. It sends the packets of the first file and compares the answers with the second
// file word for word, including the cycle counter of the engine. Any difference ends in abort(), because PandA Bambu
// ignores the result of main.
#include "../tops/core.h"
#include "vector_file.h"
#include <cstdlib>

static void fail(const char *what, size_t at, unsigned found, unsigned expected) {
    std::printf("mismatch: %s %zu is 0x%08x; expected 0x%08x\n", what, at, found, expected);
    std::fflush(stdout);
    std::abort();
}

// Send one packet and compare its answer.
static void exchange(const std::vector<unsigned> &sent, const std::vector<unsigned> &expected) {
    ese::words_t in, out;
    unsigned sum = 0;
    in.write(static_cast<unsigned>(sent.size()));
    for (unsigned word : sent) {
        in.write(word);
        sum ^= word;
    }
    unsigned taken = ese_core(in, out);
    for (size_t i = 0; i < expected.size(); ++i) {
        unsigned word = out.read();
        if (word != expected[i])
            fail("word", i, word, expected[i]);
    }
    if (taken != sum)
        fail("sum of the words taken, packet of", sent.size(), taken, sum);
    std::printf("packet of %zu words: %zu words answered, all equal\n", sent.size(), expected.size());
}

int main(int arguments, char **argument) {
    std::FILE *packets = arguments > 2 ? std::fopen(argument[1], "r") : nullptr;
    std::FILE *answers = arguments > 2 ? std::fopen(argument[2], "r") : nullptr;
    if (packets == nullptr || answers == nullptr) {
        std::printf("mismatch: name two files, packets and answers\n");
        std::abort();
    }
    std::vector<unsigned> sent, expected;
    unsigned count = 0;
    for (; read_packet(packets, sent) && read_packet(answers, expected); ++count)
        exchange(sent, expected);
    if (count == 0)
        std::abort();
    return 0;
}
