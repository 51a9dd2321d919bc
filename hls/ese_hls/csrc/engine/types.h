// SPDX-License-Identifier: Apache-2.0
// Types and sizes that follow from the configuration of a design.
#ifndef ESE_TYPES_H
#define ESE_TYPES_H

#include "contract.h"
#include "fixed.h"

namespace ese {

constexpr bool power_of_two(int n) {
    return n > 0 && (n & (n - 1)) == 0;
}
constexpr int log2_ceil(int n) {
    return n <= 1 ? 0 : 1 + log2_ceil((n + 1) / 2);
}

// An activation function: its kind and the format of its value.
struct Activation {
    Kind kind;
    Format out;
};

constexpr int element_bits = ram_bits; // a vector element is as wide as a block RAM
// A cell has four rows of sums: the gates i, f, c, o of an LSTM in the order of Keras; z, r and the two parts of the
// candidate of a GRU. Other matrices have groups of as many rows.
constexpr int gates_log2 = log2_ceil(gates);
constexpr int table_log2 = log2_ceil(table_size); // segments of the tanh table on [0, 8)

static_assert(stored_bits + 1 < element_bits, "an element holds signed and unsigned codes and to spare");
static_assert(scan_width * element_bits == 72, "what skip mode examines at once is a block RAM's whole width");

using word_t = uint_t<32>;
using element_t = int_t<element_bits>;
using activation_t = int_t<25>; // at most what the wider input of a DSP48's multiplier takes
using scale_t = uint_t<scale_bits>;
using constant_t = int_t<constant_bits>; // biases, peephole weights, codebook levels, the state of a cell
using sum_t = int_t<sum_bits>;

// Slope and offset of a hard activation, with `line_frac` fractional bits. They are part of the image.
struct Line {
    uint_t<line_bits> slope, offset;
};
struct Lines {
    Line gate, cell;
};

using address_t = uint_t<16>;
using pointer_t = uint_t<ram_bits>; // a column pointer is as wide as a block RAM too

// Whether a flag is set in a word.
template <class Flag> bool has(word_t word, Flag flag) {
    ESE_INLINE
    return bit(word, number(flag));
}

// The number at place F of a record; if F holds several numbers, the one with the given index.
template <class F> word_t field(const word_t *record, int index = 0) {
    ESE_INLINE
    static_assert(F::width < 32, "a whole word is read as it is");
    return field(record[F::word], F::low + field_spacing * index, F::width);
}

// The address modulo `Depth`, so that no image can make the engine access words outside a memory. If the depth is not a
// power of two, addresses from the largest power of two in it on are taken modulo what is left.
template <int Depth> int within(int address) {
    ESE_INLINE
    constexpr int low = 1 << (log2_ceil(Depth + 1) - 1), rest = Depth - low;
    static_assert(rest == 0 || power_of_two(rest), "a memory's depth is a power of two, or the sum of two");
    bool behind = rest != 0 && (address & low) != 0;
    return behind ? low + (address & (rest - 1)) : address & (low - 1);
}

template <class C> struct Shape {
    static constexpr int code_bits = code_bits_of(C::weights);
    static constexpr int entry_bits = C::gap_bits + code_bits;
    // A word of entry memory is as wide as one block RAM if an entry fits, otherwise as wide as two side by side.
    static constexpr int word_bits = entry_bits <= ram_bits ? ram_bits : 2 * ram_bits;
    static constexpr int entries_per_word = word_bits / entry_bits;
    // A full phase stores only codes. A ternary code has two bits there, because it may be zero.
    static constexpr int full_bits = code_bits < 2 ? 2 : code_bits;
    static constexpr int codes_per_word = word_bits / full_bits;
    static constexpr int slots = C::full_phases ? codes_per_word : entries_per_word; // at most, in one word
    static constexpr int slot_bits = log2_ceil(slots);
    static constexpr int advance_bits = slots + slots % 2; // of a word, in the image's section of the window
    static constexpr int pairs = (C::pes + 1) / 2;
    static constexpr bool skips = C::mode == Mode::skip;
    static constexpr bool delta = skips && C::delta_depth != 0; // whether it remembers the values last broadcast
    static constexpr int pointer_depth = skips ? C::pointer_depth : 1;
    static constexpr int delta_depth = delta ? C::delta_depth : scan_width;
    // Of each vector RAM: copies for two PEs each, or in skip mode banks of one copy; and the elements of each.
    static constexpr int vector_copies = skips ? scan_width : pairs;
    static constexpr int vector_words = skips ? C::vector_depth / scan_width : C::vector_depth;
    static constexpr int last_words = delta_depth / scan_width;
    static constexpr int fifo_depth = skips ? C::fifo_depth : 1;
    static constexpr int record_words = phase_words + (skips ? scan_words : 0); // of a phase
    static constexpr int unit_pes = C::pes / C::units;                          // PEs that a unit drains
    // The vector RAMs take two elements in an iteration, and so many results come at most: one of each of two units, or
    // two rows of a matrix without cells, which a single unit takes from neighbouring PEs if all have a neighbour.
    static constexpr bool paired = C::units == 1 && C::pes % 2 == 0;
    static constexpr int results = C::units == 2 || paired ? 2 : 1;
    static constexpr int lanes = paired ? 2 : 1; // of a unit's four, those that compute such rows
    // A PE shows the rows of a cell in as many iterations. With fewer PEs than that, a cell waits for the one before.
    static constexpr int cell_period = (gates + unit_pes - 1) / unit_pes;
    // Copies of the tanh table for a unit, with two ports each: an LSTM's cell looks up five values, a GRU's three, of
    // which two are those of gates that both have.
    static constexpr int tables = C::lstm ? 3 : 2;
    using acc_t = int_t<C::acc_bits>;
    using entry_word_t = uint_t<word_bits>;

    static_assert(C::lstm || C::gru, "a design has the cells of an LSTM, a GRU, or both");
    static_assert(C::pes >= 1 && C::pes <= max_pes, "1 to 256 PEs");
    static_assert(C::units == 1 || C::units == 2, "1 or 2 element-wise units");
    static_assert(C::pes % C::units == 0, "each unit drains PEs of its own: two units need an even number of PEs");
    static_assert(C::acc_banks == 1 || C::acc_banks == 2 || C::acc_banks == 4, "accumulator banks are 1, 2 or 4");
    static_assert(entry_bits <= word_bits, "an entry fits a word of one or two block RAMs");
    static_assert(full_bits <= entry_bits, "a code without gap takes no more room than an entry");
    static_assert(C::acc_bits <= sum_bits, "an accumulator fits the 48-bit sum, and 64 bits when it is scaled");
    static_assert(power_of_two(fifo_depth) && fifo_depth <= max_fifo_depth,
                  "a FIFO holds 1 to 256 columns, a power of two");
    static_assert(!skips || C::vector_depth >= scan_width, "a vector RAM holds at least what is examined at once");
    static_assert(!skips || C::window == 0, "only stream mode has an activation window");
    static_assert(delta_depth >= scan_width, "so does the memory of what was last broadcast");
};

} // namespace ese

#endif
