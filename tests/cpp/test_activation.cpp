// SPDX-License-Identifier: Apache-2.0
// Compares the activations with the C library: the smooth ones are within one least significant bit of 16 over the
// whole range, the hard ones are exact.
#include "check.h"
#include "engine/activation.h"
#include <cmath>

using namespace ese;

static word_t table[table_size];

// The activation `a` of x, which has `frac` + `More` fractional bits, as a design of one format set computes it.
template <int W, int More = 0>
static activation_t activate(int_t<W> x, int frac, const Activation &a, const Line &line, const word_t *from) {
    if (is_hard(a.kind))
        return activated(a, hard_line<W, More>(x, frac, line), frac, 0);
    return activated(a, 0, frac, signed_tanh<W>(x, frac + More + (a.kind == Kind::sigmoid ? 1 : 0), from));
}

static void make_table() {
    long long edge[table_size + 1];
    for (int i = 0; i <= table_size; ++i)
        edge[i] = std::min(std::llrint(std::ldexp(std::tanh(i / 128.0), 19)), (1ll << 19) - 1);
    for (int i = 0; i < table_size; ++i)
        table[i] = word_t((unsigned)edge[i] | (unsigned)(edge[i + 1] - edge[i]) << 19);
}

static void near(double found, double expected, double lsb, double x) {
    if (std::fabs(found - expected) > lsb) {
        std::printf("at %.9g: %.9g; expected %.9g within %.3g\n", x, found, expected, lsb);
        std::exit(1);
    }
}

using wide_t = __int128;

// The quotient of a number by a power of two, rounded half to even.
static long long rounded(wide_t value, int shift) {
    const wide_t one = 1, rest = value & ((one << shift) - 1), half = one << (shift - 1);
    const long long floor = (long long)(value >> shift);
    return floor + (rest > half || (rest == half && (floor & 1) != 0));
}

// A hard activation of up to 64 bits, of which the last 16 only decide how it is rounded, is exact.
static void wide_inputs() {
    const int frac = 36, more = 16;
    const Activation hard = {Kind::hard_tanh, {18, 12, -131072, 131071}};
    Random random(3);
    for (int i = 0; i < 200000; ++i) {
        const Line line = {uint_t<16>(i % 3 == 0 ? 16384 : random.bits(16) & 0xFFFF),
                           uint_t<16>(random.bits(16) & 0xFFFF)};
        long long code = random.bits(63) >> (i % 16);
        if (i % 4 == 0) // near the middle between two results if the slope is 1/2
            code = (code & -(1ll << 40)) + (i % 5 - 2);
        const long long most = 64ll << (frac + more), held = code < -most ? -most : code > most ? most : code;
        const wide_t exact = (wide_t)held * (int)line.slope + ((wide_t)(int)line.offset << (frac + more));
        long long y = rounded(exact, frac + more + line_frac - hard.out.frac);
        y = y < hard.out.low ? hard.out.low : y > hard.out.high ? hard.out.high : y;
        CHECK_EQUAL((activate<64, more>(code, frac, hard, line, table)), y);
    }
}

int main() {
    make_table();
    wide_inputs();
    const Line none = {0, 0};
    const Activation tanh16 = {Kind::tanh, {16, 15, -32768, 32767}};
    const Activation sigmoid16 = {Kind::sigmoid, {16, 16, 0, 65535}};
    const int frac = 24;
    for (long long code = -(20ll << frac); code <= (20ll << frac); code += 997) {
        double x = std::ldexp((double)code, -frac);
        double t = std::ldexp((double)(long long)activate<48>(code, frac, tanh16, none, table), -15);
        double s = std::ldexp((double)(long long)activate<48>(code, frac, sigmoid16, none, table), -16);
        near(t, std::tanh(x), std::ldexp(1, -15), x);
        near(s, 1 / (1 + std::exp(-x)), std::ldexp(1, -16), x);
    }
    // Both ends of the range of a sum, and an input with fewer fractional bits than the table.
    for (long long code : {(1ll << 47) - 1, -(1ll << 47)}) {
        CHECK_EQUAL((activate<48>(code, 36, tanh16, none, table)), code < 0 ? -32768 : 32767);
        CHECK_EQUAL((activate<48>(code, 36, sigmoid16, none, table)), code < 0 ? 0 : 65535);
        CHECK_EQUAL((activate<48>(code, 3, tanh16, none, table)), code < 0 ? -32768 : 32767);
    }
    // The ends of a function are values of formats that hold them.
    const Activation tanh18 = {Kind::tanh, {18, 16, -65536, 65536}};
    const Activation sigmoid17 = {Kind::sigmoid, {17, 16, 0, 65536}};
    const Activation hard18 = {Kind::hard_tanh, {18, 16, -65536, 65536}};
    for (long long code : {20ll << 36, -(20ll << 36)}) {
        CHECK_EQUAL((activate<48>(code, 36, tanh18, none, table)), code < 0 ? -65536 : 65536);
        CHECK_EQUAL((activate<48>(code, 36, sigmoid17, none, table)), code < 0 ? 0 : 65536);
        CHECK_EQUAL((activate<48>(code, 36, hard18, {32768, 0}, table)), code < 0 ? -65536 : 65536);
    }
    // A sum that has no negative counterpart in its machine word.
    const long long smallest = -9223372036854775807ll - 1;
    CHECK_EQUAL((table_input<64>(smallest, 36)), (1 << input_bits) - 1);
    // A hard activation is slope * x + offset, rounded half to even and saturated.
    const Activation hard = {Kind::hard_sigmoid, {8, 8, 0, 255}};
    const Line keras3 = {5461, 16384}; // 1/6 and 1/2 with 15 fractional bits
    for (long long code = -(8 << 10); code <= (8 << 10); ++code) {
        double y = std::nearbyint(std::ldexp(5461.0 * (double)code / 1024 + 16384, -15 + 8));
        y = y < 0 ? 0 : y > 255 ? 255 : y;
        CHECK_EQUAL((activate<48>(code, 10, hard, keras3, table)), (long long)y);
    }
    return 0;
}
