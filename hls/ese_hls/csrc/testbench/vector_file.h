// SPDX-License-Identifier: Apache-2.0
// Reads a file of packets, for test benches. A packet is its number of words in decimal, then the words in hexadecimal.
#ifndef ESE_VECTOR_FILE_H
#define ESE_VECTOR_FILE_H

#include <cstdio>
#include <vector>

inline bool read_packet(std::FILE *file, std::vector<unsigned> &words) {
    unsigned count;
    if (std::fscanf(file, "%u", &count) != 1)
        return false;
    words.resize(count);
    for (unsigned &word : words)
        if (std::fscanf(file, "%x", &word) != 1)
            return false;
    return true;
}

// Whether the last word is the CRC-32 of the words before it, computed bit by bit and so otherwise than in the engine.
inline bool sound(const std::vector<unsigned> &answer) {
    unsigned crc = ~0u;
    for (size_t at = 0; at + 1 < answer.size(); ++at)
        for (int bit = 0; bit < 32; ++bit) {
            bool one = ((crc ^ answer[at] >> bit) & 1) != 0;
            crc = crc >> 1 ^ (one ? 0xEDB88320u : 0);
        }
    return !answer.empty() && answer.back() == ~crc;
}

#endif
