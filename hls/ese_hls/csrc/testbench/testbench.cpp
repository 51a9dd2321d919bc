// The test bench of the AXI top. It sends the packets of tb/input.txt and compares the answers with tb/expected.txt
// word for word. The words that count cycles are printed, but not compared. The CRC depends on them, and is checked by
// computing it again.
#include "../tops/top.h"
#include "vector_file.h"

// Number of words at the end of a trailer that are not compared: those that count cycles, and the CRC.
constexpr unsigned uncompared = ese::trailer_words - ese::number(ese::TrailerWord::cycles_low);

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
    ese::word_t design_id, image_id, cycles_low, cycles_high, error, version;
    ese_top(in, out, design_id, image_id, cycles_low, cycles_high, error, version);
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
    if (version != ese::protocol_version) {
        std::printf("protocol version is %u; expected %u\n", static_cast<unsigned>(version), ese::protocol_version);
        ++differ;
    }
    std::printf("packet of %zu words: %zu words answered, %u differ, %u cycles\n", sent.size(), words.size(), differ,
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
