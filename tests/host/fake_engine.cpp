// SPDX-License-Identifier: Apache-2.0
// A stand-in for the engine's library (docs/reference/packets.md): one Dense layer with weights known to
// small_design.py. Compiled with -DDESIGN_ID, -DINPUTS, -DOUTPUTS, -DSHIFT (from the sum to the fractional bits of an
// exact output).
#include <cstddef>
#include <cstdint>
#include <vector>

namespace {

struct Engine {
    uint32_t image = 0, error = 0;
    uint64_t cycles = 0;
};

int weight(int output, int input) {
    return (output * 3 + input * 5) % 15 - 7;
}

struct Reader {
    const uint32_t *words;
    size_t left;
    bool early = false;
    uint32_t next() {
        if (left == 0) {
            early = true;
            return 0;
        }
        --left;
        return *words++;
    }
};

uint32_t crc32(uint32_t crc, uint32_t word) {
    for (int bit = 0; bit < 32; ++bit) {
        crc ^= word >> bit & 1;
        crc = crc >> 1 ^ (crc & 1 ? 0xEDB88320u : 0);
    }
    return crc;
}

} // namespace

extern "C" {

void *ese_open(void) {
    return new Engine;
}
void ese_close(void *engine) {
    delete static_cast<Engine *>(engine);
}

uint32_t ese_register(void *engine, uint32_t offset) {
    auto *e = static_cast<Engine *>(engine);
    switch (offset) {
    case 0x10:
        return uint32_t(DESIGN_ID);
    case 0x20:
        return e->image;
    case 0x30:
        return uint32_t(e->cycles);
    case 0x40:
        return uint32_t(e->cycles >> 32);
    case 0x50:
        return e->error;
    case 0x60:
        return 2;
    default:
        return 0;
    }
}

const char *ese_fault(void *) {
    return "it stands still";
}

size_t ese_packet(void *engine, const uint32_t *in, size_t in_words, uint32_t *out, size_t out_words) {
    auto *e = static_cast<Engine *>(engine);
    Reader reader{in, in_words};
    std::vector<uint32_t> answer;
    uint32_t operation = reader.next(), sequences = 0, steps = 0;
    if (operation == 0x45520002)
        return static_cast<size_t>(-1); // as an engine in RTL that hangs
    e->error = 0;
    e->cycles = 0;
    if (operation == 0x45530001) {
        uint32_t count = reader.next(), word = 0, crc = ~0u;
        for (uint32_t i = 0; i < count && !reader.early; ++i) {
            word = reader.next();
            if (i + 1 < count)
                crc = crc32(crc, word);
        }
        e->error = reader.early ? 9 : ~crc != word ? 5 : reader.left != 0 ? 10 : 0;
        e->image = e->error ? 0 : word;
    } else if (operation == 0x45530002) {
        uint32_t flags = reader.next(), image = reader.next(), count = reader.next();
        if (e->image == 0)
            e->error = 6;
        else if (image != e->image)
            e->error = 7;
        else if (count == 0 || count > 65535)
            e->error = 8;
        for (uint32_t s = 0; !e->error && s < count; ++s) {
            uint32_t length = reader.next();
            if (length == 0 || length > 65535) {
                e->error = reader.early ? 9 : 8;
                break;
            }
            for (uint32_t t = 0; t < length; ++t) {
                int16_t x[INPUTS + 1];
                for (int i = 0; i < INPUTS; i += 2) {
                    uint32_t word = reader.next();
                    x[i] = int16_t(word);
                    x[i + 1] = int16_t(word >> 16);
                }
                for (int o = 0; o < OUTPUTS; ++o) {
                    int64_t sum = 0;
                    for (int i = 0; i < INPUTS; ++i)
                        sum += int64_t(weight(o, i)) * x[i];
                    sum *= int64_t(1) << SHIFT;
                    answer.push_back(uint32_t(uint64_t(sum)));
                    answer.push_back(uint32_t(uint64_t(sum) >> 32));
                    if (flags & 1) {
                        answer.push_back(0);
                        answer.push_back(0);
                    }
                }
                e->cycles += INPUTS * OUTPUTS;
            }
            ++sequences;
            steps += length;
        }
        if (!e->error)
            e->error = reader.early ? 9 : reader.left != 0 ? 10 : 0;
    } else if (operation != 0x45530003) {
        e->error = 1;
    }
    uint32_t known = operation >= 0x45530001 && operation <= 0x45530003 ? operation & 3 : 0;
    const uint32_t trailer[] = {
        0x45534544, known, e->error, e->image, sequences, steps, uint32_t(e->cycles), uint32_t(e->cycles >> 32)};
    answer.insert(answer.end(), trailer, trailer + 8);
    uint32_t crc = ~0u;
    for (uint32_t word : answer)
        crc = crc32(crc, word);
    answer.push_back(~crc);
    for (size_t i = 0; i < answer.size() && i < out_words; ++i)
        out[i] = answer[i];
    return answer.size();
}
}
