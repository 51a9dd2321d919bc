// SPDX-License-Identifier: Apache-2.0
// Sends the packets of a file to the emulated engine and writes its answers to another file. This lets the engine run
// under sanitizers without Python. Both files hold packets as binary 32-bit words: the number of words, then the words.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <vector>

extern "C" {
void *ese_open(void);
void ese_close(void *);
uint32_t ese_register(void *, uint32_t);
size_t ese_packet(void *, const uint32_t *, size_t, uint32_t *, size_t);
}

int main(int arguments, char **argument) {
    if (arguments != 3)
        return 2;
    std::FILE *in = std::fopen(argument[1], "rb"), *out = std::fopen(argument[2], "wb");
    if (in == nullptr || out == nullptr)
        return 2;
    void *engine = ese_open();
    std::vector<uint32_t> answer(1 << 20);
    uint32_t count;
    while (std::fread(&count, 4, 1, in) == 1) {
        std::vector<uint32_t> packet(count);
        if (std::fread(packet.data(), 4, count, in) != count)
            return 2;
        uint32_t words = (uint32_t)ese_packet(engine, packet.data(), count, answer.data(), answer.size());
        std::fwrite(&words, 4, 1, out);
        std::fwrite(answer.data(), 4, words, out);
    }
    ese_close(engine);
    std::fclose(in);
    return std::fclose(out);
}
