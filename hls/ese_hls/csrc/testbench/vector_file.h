// A file of packets: each a count of words, then the words in hexadecimal. For test benches alone.
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
