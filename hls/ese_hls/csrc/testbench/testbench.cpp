// SPDX-License-Identifier: Apache-2.0
// The test bench of the AXI top. It checks that the first call fills the registers and takes no packet, sends the
// packets of tb/input.txt and compares the answers with tb/expected.txt word for word. The words that count cycles are
// printed, but not compared. The CRC depends on them, and is checked by computing it again.
#include "../tops/top.h"
#include "vector_file.h"

// Number of words at the end of a trailer that are not compared: those that count cycles, and the CRC.
constexpr unsigned uncompared = ese::trailer_words - ese::number(ese::TrailerWord::cycles_low);

static ese::Registers registers;

static void call(ese::axis_t &in, ese::axis_t &out) {
    ese_top(in, out, registers.design_id, registers.image_id, registers.cycles_low, registers.cycles_high,
            registers.error, registers.version);
}

static void send(ese::axis_t &in, const std::vector<unsigned> &sent) {
    for (size_t i = 0; i < sent.size(); ++i) {
        ese::beat_t beat;
        beat.data = sent[i];
        beat.keep = -1;
        beat.strb = -1;
        beat.last = i + 1 == sent.size();
        in.write(beat);
    }
}

// Compare a register that is a constant of the engine; returns how many differ.
static unsigned compare(const char *name, unsigned found, unsigned expected) {
    if (found == expected)
        return 0;
    std::printf("%s is 0x%08x; expected 0x%08x\n", name, found, expected);
    return 1;
}

static unsigned compare_constants() {
    return compare("design id", registers.design_id, ese::Config::design_id) +
           compare("protocol version", registers.version, ese::protocol_version);
}

// Make the first call while a packet waits; returns how many things are wrong.
static unsigned start(const std::vector<unsigned> &waiting) {
    ese::axis_t in, out;
    send(in, waiting);
    call(in, out);
    unsigned wrong = compare_constants();
    if (in.size() != waiting.size() || !out.empty()) {
        std::printf("the first call took a packet; the registers were to be read before\n");
        ++wrong;
    }
    while (!in.empty())
        in.read();
    while (!out.empty())
        out.read();
    return wrong;
}

// Send one packet and take its answer; returns how many words differ.
static unsigned exchange(const std::vector<unsigned> &sent, const std::vector<unsigned> &expected) {
    ese::axis_t in, out;
    send(in, sent);
    call(in, out);
    unsigned differ = 0;
    std::vector<unsigned> words;
    for (bool last = false; !last && !out.empty();) {
        ese::beat_t beat = out.read();
        last = beat.last != 0;
        bool compared = words.size() + uncompared < expected.size();
        differ += compared && beat.data.to_uint() != expected[words.size()];
        words.push_back(beat.data.to_uint());
    }
    if (words.size() != expected.size()) {
        std::printf("answer has %zu words; expected %zu\n", words.size(), expected.size());
        ++differ;
    }
    if (!sound(words)) {
        std::printf("the last word of the answer is not the CRC of the words before it\n");
        ++differ;
    }
    differ += compare_constants();
    std::printf("packet of %zu words: %zu words answered, %u differ, %u cycles\n", sent.size(), words.size(), differ,
                static_cast<unsigned>(registers.cycles_low));
    return differ;
}

int main(int arguments, char **argument) {
    const char *input = arguments > 1 ? argument[1] : "tb/input.txt";
    const char *output = arguments > 2 ? argument[2] : "tb/expected.txt";
    std::FILE *packets = std::fopen(input, "r"), *answers = std::fopen(output, "r");
    if (packets == nullptr || answers == nullptr) {
        std::printf("%s or %s is missing; run where the project lies, or name both files\n", input, output);
        return 2;
    }
    std::vector<unsigned> sent, expected;
    unsigned differ = 0, count = 0;
    while (read_packet(packets, sent) && read_packet(answers, expected)) {
        if (count++ == 0)
            differ += start(sent);
        differ += exchange(sent, expected);
    }
    std::printf(differ == 0 && count != 0 ? "PASS\n" : "FAIL\n");
    return differ == 0 && count != 0 ? 0 : 1;
}
