// SPDX-License-Identifier: Apache-2.0
// Sends the packets of a file to the engine itself and writes its answers to another file, so that the engine runs
// under sanitizers. It has word streams of its own, because those of ap_int shift negative numbers left, which the
// sanitizers would report. Both files hold packets as binary 32-bit words: the number of words, then the words. A
// packet of no words stands for a new engine.
#include "config.h"
#include "engine/packet.h"
#include <cstdint>
#include <cstdio>
#include <memory>
#include <vector>

namespace {

using Words = std::vector<uint32_t>;

struct In {
    size_t at;
    bool missing;

    ese::word_t word(const Words &words) {
        missing = missing || at == words.size();
        return missing ? 0 : words[at++];
    }
    bool ended_early() const { return missing; }
    bool drain(const Words &words) {
        bool any = at != words.size();
        at = words.size();
        return any;
    }
};

struct Out {
    void word(Words &words, ese::word_t value) { words.push_back(value); }
    void last(Words &) {}
};

struct Whole {
    ese::Memories<ese::Config> memory;
    ese::Accumulators<ese::Config> accumulators;
};

} // namespace

int main(int arguments, char **argument) {
    if (arguments != 3)
        return 2;
    std::FILE *in = std::fopen(argument[1], "rb"), *out = std::fopen(argument[2], "wb");
    if (in == nullptr || out == nullptr)
        return 2;
    std::unique_ptr<Whole> whole;
    uint32_t count;
    while (std::fread(&count, 4, 1, in) == 1) {
        if (count == 0) {
            whole.reset(new Whole());
            whole->memory.image_id = 0;
            ese::forget<ese::Config>(whole->memory, whole->accumulators);
            continue;
        }
        Words packet(count), answer;
        if (whole == nullptr || std::fread(packet.data(), 4, count, in) != count)
            return 2;
        In source{0, false};
        Out sink;
        ese::serve<ese::Config>(whole->memory, whole->accumulators, source, sink, packet, answer);
        uint32_t words = (uint32_t)answer.size();
        std::fwrite(&words, 4, 1, out);
        std::fwrite(answer.data(), 4, words, out);
        std::fflush(out);
    }
    std::fclose(in);
    return std::fclose(out);
}
