// SPDX-License-Identifier: Apache-2.0
// The engine's own functions, each behind a top of plain words, for an HLS compiler that pipelines functions: one call
// a clock. A part that is a recurrence gets its state as arguments and returns the next one; if it takes one state, the
// engine's loop can start an iteration each clock as far as this recurrence goes.
#include "config.h"
#include "engine/loader.h"
#include "tanh_rom.h"

using namespace ese;
using C = Config;
using acc_t = Shape<C>::acc_t;
using Stream = StreamFeed<C>;
constexpr int banks = C::acc_banks;

// The low W bits of a word, with their sign.
template <int W> static long long low(unsigned long long word) {
    return static_cast<long long>(word << (64 - W)) >> (64 - W);
}

static unsigned long long bits(long long value, int width, int at) {
    return (static_cast<unsigned long long>(value) & ((1ull << width) - 1)) << at;
}

static sum_t sum_of(unsigned long long first, unsigned long long second, unsigned scales, int bias,
                    const Phase &phase) {
    acc_t acc[banks];
    scale_t scale[banks];
    for (int b = 0; b < banks; ++b) {
        acc[b] = low<C::acc_bits>(b == 0 ? first : second);
        scale[b] = scales >> (16 * b) & 0xFFFF;
    }
    return scaled_sum<C>(acc, scale, low<16>(bias), phase, 0);
}

// Shifts and flags of a phase.
static Phase phase_of(unsigned shifts, unsigned flags) {
    Phase phase;
    phase.bank_shift[0] = shifts & 63;
    phase.bank_shift[banks - 1] = shifts >> (banks > 1 ? 6 : 0) & 63;
    phase.bias_shift = shifts >> 12 & 63;
    phase.peephole_shift = shifts >> 18 & 63;
    phase.stored_shift = shifts >> 24 & 63;
    phase.peepholes = flags & 1;
    phase.stores_output = flags >> 1 & 1;
    phase.relu = flags >> 2 & 1;
    phase.stage = flags >> 3 & 1 ? Stage::dense : Stage::lstm;
    return phase;
}

// An element-wise unit: four scaled sums, then either an LSTM cell, or one or two rows of another matrix.
extern "C" unsigned long long unit(unsigned long long i0, unsigned long long i1, unsigned is, int ib,
                                   unsigned long long f0, unsigned long long f1, unsigned fs, int fb,
                                   unsigned long long g0, unsigned long long g1, unsigned gs, int gb,
                                   unsigned long long o0, unsigned long long o1, unsigned os, int ob, int pi, int pf,
                                   int po, int c, unsigned shifts, unsigned flags, int lowest, int highest) {
#pragma HLS pipeline
    Phase phase = phase_of(shifts, flags);
    phase.low = low<element_bits>(lowest);
    phase.high = low<element_bits>(highest);
    const sum_t sums[gates] = {sum_of(i0, i1, is, ib, phase), sum_of(f0, f1, fs, fb, phase),
                               sum_of(g0, g1, gs, gb, phase), sum_of(o0, o1, os, ob, phase)};
    const constant_t peephole[3] = {constant_t(low<16>(pi)), constant_t(low<16>(pf)), constant_t(low<16>(po))};
    Lines lines;
    lines.gate.slope = lines.gate.offset = lines.cell.slope = lines.cell.offset = 0;
    Cell cell = cell_of<C>(sums, low<16>(c), peephole, phase, lines, tanh_rom);
    Result results[2];
    leave<C>(cell, sums, phase, results);
    element_t second = phase.stage == Stage::dense ? results[1].stored : results[0].output;
    return bits(results[0].stored, 18, 0) | bits(second, 18, 18) | bits(results[0].cell, 16, 36);
}

// Recurrence: a PE's sum; the last two sums are forwarded to it.
extern "C" unsigned long long accumulate(unsigned tag, unsigned tag0, unsigned long long value0, unsigned tag1,
                                         unsigned long long value1, unsigned long long stored,
                                         unsigned long long term) {
#pragma HLS pipeline
    Sum<C> made[2];
    made[0].tag = tag0 & 0x7FFFF;
    made[1].tag = tag1 & 0x7FFFF;
    made[0].value = low<C::acc_bits>(value0);
    made[1].value = low<C::acc_bits>(value1);
    acc_t sum = latest<C>(made, tag & 0x7FFFF, low<C::acc_bits>(stored)) + low<C::acc_bits>(term);
    return static_cast<unsigned long long>(static_cast<long long>(sum));
}

// Recurrence: a PE's position.
extern "C" unsigned long long place(unsigned next, unsigned first, unsigned gap, unsigned placed, unsigned advance) {
#pragma HLS pipeline
    Entry<C> entry;
    entry.gap = gap & ((1 << C::gap_bits) - 1);
    entry.placed = placed & 1;
    Stream::Positions positions = Stream::place(next & 0xFFFF, first & 1, entry, advance & 0xFFFF);
    return bits(positions.here, 16, 0) | bits(positions.next, 16, 16);
}

// Not a recurrence: from an entry word and an activation to the term.
extern "C" unsigned long long multiply(unsigned long long word, unsigned slot, unsigned full, int x) {
#pragma HLS pipeline
    Entry<C> entry = Entry<C>::unpack(word & ((1ull << Shape<C>::word_bits) - 1), slot & 15, full & 1);
    Term<C> term = Term<C>::of(entry, low<element_bits>(x), nullptr, 0);
    return bits(static_cast<long long>(term.value), C::acc_bits, 0) | bits(term.negative, 1, 48) |
           bits(entry.gap, C::gap_bits, 49) | bits(entry.weight, 1, 60) | bits(entry.placed, 1, 61);
}

// Recurrence of skip mode: the rest of a PE's column.
extern "C" unsigned long long column(unsigned busy, unsigned word, unsigned slot, unsigned end_word, unsigned end_slot,
                                     unsigned waiting, unsigned next_word, unsigned next_slot, unsigned next_end_word,
                                     unsigned next_end_slot) {
#pragma HLS pipeline
    SkipFeed<C>::Progress at;
    bool held = busy & 1;
    at.busy = held || (waiting & 1);
    at.column.begin.word = held ? word & 0xFFFF : next_word & 0xFFFF;
    at.column.begin.slot = held ? slot & 15 : next_slot & 15;
    at.column.end.word = held ? end_word & 0xFFFF : next_end_word & 0xFFFF;
    at.column.end.slot = held ? end_slot & 15 : next_end_slot & 15;
    bool entry = at.ready();
    at.advance(entry, false);
    return bits(at.column.begin.word, 16, 0) | bits(at.column.begin.slot, 4, 16) | bits(at.busy, 1, 20) |
           bits(entry, 1, 21);
}

// Recurrence of images and answers: the CRC of a word.
extern "C" unsigned crc(unsigned sum, unsigned word) {
#pragma HLS pipeline
    return crc32(sum, word);
}
