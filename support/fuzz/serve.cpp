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

struct In {
    const std::vector<uint32_t> &words;
    size_t at;
    bool missing;

    ese::word_t word() {
        missing = missing || at == words.size();
        return missing ? 0 : words[at++];
    }
    bool ended_early() const { return missing; }
    bool drain() {
        bool any = at != words.size();
        at = words.size();
        return any;
    }
};

struct Out {
    std::vector<uint32_t> words;

    void word(ese::word_t value) { words.push_back(value); }
    void last() {}
};

} // namespace

int main(int arguments, char **argument) {
    if (arguments != 3)
        return 2;
    std::FILE *in = std::fopen(argument[1], "rb"), *out = std::fopen(argument[2], "wb");
    if (in == nullptr || out == nullptr)
        return 2;
    std::unique_ptr<ese::Engine<ese::Config>> engine;
    uint32_t count;
    while (std::fread(&count, 4, 1, in) == 1) {
        if (count == 0) {
            engine.reset(new ese::Engine<ese::Config>());
            engine->reset();
            continue;
        }
        std::vector<uint32_t> packet(count);
        if (engine == nullptr || std::fread(packet.data(), 4, count, in) != count)
            return 2;
        In source{packet, 0, false};
        Out sink;
        ese::serve(*engine, source, sink);
        uint32_t words = (uint32_t)sink.words.size();
        std::fwrite(&words, 4, 1, out);
        std::fwrite(sink.words.data(), 4, words, out);
        std::fflush(out);
    }
    std::fclose(in);
    return std::fclose(out);
}
