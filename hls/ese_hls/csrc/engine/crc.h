// SPDX-License-Identifier: Apache-2.0
// CRC-32 (IEEE 802.3, reflected) of 32-bit words: an image carries one, and so does every answer.
#ifndef ESE_CRC_H
#define ESE_CRC_H

#include "types.h"

namespace ese {

constexpr unsigned crc_polynomial = 0xEDB88320; // the polynomial of IEEE 802.3, reflected
constexpr unsigned crc_start = 0xFFFFFFFF;      // the register before the first word; at the end it is inverted

// The CRC register after one more word. Every bit of `crc ^ word` that is one adds a constant, so that HLS, which
// unrolls both loops, makes one level of exclusive ors of them: a register that took one bit after the other could not
// take a word in each clock.
inline word_t crc32(word_t crc, word_t word) {
    ESE_INLINE
    word_t mixed = crc ^ word, sum = 0, added = crc_polynomial; // what the highest bit adds
nibbles: // two nested loops, because Bambu is told to unroll only loops of up to four iterations
    for (int n = 0; n < 8; ++n) {
        ESE_UNROLL
    bits:
        for (int i = 0; i < 4; ++i) {
            ESE_UNROLL
            if (bit(mixed, 31 - 4 * n - i))
                sum ^= added;
            added = (added & 1) != 0 ? word_t((added >> 1) ^ word_t(crc_polynomial)) : word_t(added >> 1);
        }
    }
    return sum;
}

// Send a word of an answer, and add it to the answer's CRC.
template <class Out, class Stream> void send(Out &out, Stream &to, word_t &crc, word_t word) {
    ESE_INLINE
    crc = crc32(crc, word);
    out.word(to, word);
}

} // namespace ese

#endif
