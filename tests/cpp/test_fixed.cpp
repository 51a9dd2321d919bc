// SPDX-License-Identifier: Apache-2.0
// Compares rounding, saturation, shifts, sums and products with exact integer arithmetic.
#include "check.h"
#include "engine/fixed.h"

using namespace ese;

// Rounds half to even by the remainder of a division, a method that the header does not use.
static long long rounded(long long value, int shift) {
    long long whole = 1ll << shift;
    long long rest = ((value % whole) + whole) % whole;
    long long floor = (value - rest) / whole;
    if (2 * rest > whole || (2 * rest == whole && floor % 2 != 0))
        ++floor;
    return floor;
}

// Values near both ends of the range of 48 bits.
static long long random_wide(int i) {
    return i % 2 == 0 ? -(1ll << 47) + i : (1ll << 47) - 1 - i;
}

int main() {
    Random random(1);
    for (int i = 0; i < 20000; ++i) {
        long long value = i < 256 ? i - 128 : random.bits(2 + i % 45);
        for (int shift = 0; shift < 40; shift += 1 + i % 3)
            CHECK_EQUAL((round_half_even<48>(value, shift)), rounded(value, shift));
        Format narrow = {8, 4, -128, 127};
        long long expected = rounded(value, 6);
        expected = expected < -128 ? -128 : expected > 127 ? 127 : expected;
        CHECK_EQUAL((quantize<48>(value, 10, narrow)), expected);
        if (value > -(1ll << 40) && value < (1ll << 40))
            CHECK_EQUAL((shift_left<48>(value, 7)), value * 128);
        // Factors as wide as an accumulator and its scale, a sum and a constant, a peephole weight and the state.
        long long wide = random.bits(24), scale = i < 8 ? 65535 : random.bits(16) & 0xFFFF;
        CHECK_EQUAL((product<24, 17>(wide, scale)), wide * scale);
        CHECK_EQUAL((product<48, 16>(random_wide(i), scale >> 1)), random_wide(i) * (scale >> 1));
        int_t<16> low = -32768, state = random.bits(16);
        CHECK_EQUAL((product<16, 16>(low, state)), -32768ll * (long long)state);
    }
    // What no image of the encoder makes wraps, as in hardware, when it leaves the machine word of either kind.
    CHECK_EQUAL((int_t<8>(plus<32>(2147483647, 2147483647))), -2);
    CHECK_EQUAL((int_t<8>(plus<64>(-9223372036854775807ll - 1, -1))), -1);
    CHECK_EQUAL((int_t<8>(product<47, 17>(1ll << 45, 65535))), 0);
    CHECK_EQUAL(signed_bits<18>(0x7FFE0000u), -131072);
    CHECK_EQUAL(signed_bits<18>(0xFFFDFFFFu), 131071);
    CHECK_EQUAL(field(0xABCD1234u, 8, 12), 0xD12);
    CHECK_EQUAL(bit(0x80000000u, 31), 1);
    return 0;
}
