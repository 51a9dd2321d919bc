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

#endif
