// SPDX-License-Identifier: Apache-2.0
// Checks for test programs. A program exits with 0, or prints which check failed with which values and exits with 1.
#ifndef ESE_TESTS_CHECK_H
#define ESE_TESTS_CHECK_H

#include <cstdio>
#include <cstdlib>

#define CHECK_EQUAL(found, expected)                                                                                   \
    do {                                                                                                               \
        long long found_value = (long long)(found), expected_value = (long long)(expected);                            \
        if (found_value != expected_value) {                                                                           \
            std::printf("%s:%d: %s is %lld; expected %lld\n", __FILE__, __LINE__, #found, found_value,                 \
                        expected_value);                                                                               \
            std::exit(1);                                                                                              \
        }                                                                                                              \
    } while (0)

// Reproducible integers that reach every bit (xorshift64).
struct Random {
    unsigned long long state;

    explicit Random(unsigned long long seed) : state(seed * 2685821657736338717ull + 1) {}

    long long bits(int width) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        long long value = (long long)(state >> (64 - width));
        return value - (1ll << (width - 1));
    }
};

#endif
