// The test bench of the AXI top. It sends the packets of tb/input.txt and compares the answers with tb/expected.txt
// word for word. The last two words of an answer count cycles; they are printed, but not compared.
#include "../tops/top.h"
#include "vector_file.h"

// Number of words at the end of a trailer that count cycles.
constexpr unsigned cycle_words = ese::trailer_words - ese::number(ese::TrailerWord::cycles_low);

// Send one packet and take its answer; returns how many words differ.
static unsigned exchange(const std::vector<unsigned> &sent, const std::vector<unsigned> &expected) {
    ese::axis_t in, out;
    for (size_t i = 0; i < sent.size(); ++i) {
        ese::beat_t beat;
        beat.data = sent[i];
        beat.keep = -1;
        beat.strb = -1;
        beat.last = i + 1 == sent.size();
        in.write(beat);
    }
    ese::word_t design_id, image_id, cycles_low, cycles_high, error;
    ese_top(in, out, design_id, image_id, cycles_low, cycles_high, error);
    unsigned differ = 0, words = 0;
    for (bool last = false; !last && !out.empty(); ++words) {
        ese::beat_t beat = out.read();
        last = beat.last != 0;
        bool compared = words + cycle_words < expected.size();
        differ += compared && beat.data.to_uint() != expected[words];
    }
    if (words != expected.size()) {
        std::printf("answer has %u words; expected %zu\n", words, expected.size());
        ++differ;
    }
    std::printf("packet of %zu words: %u words answered, %u differ, %u cycles\n", sent.size(), words, differ,
                static_cast<unsigned>(cycles_low));
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
        differ += exchange(sent, expected);
        ++count;
    }
    std::printf(differ == 0 && count != 0 ? "PASS\n" : "FAIL\n");
    return differ == 0 && count != 0 ? 0 : 1;
}
