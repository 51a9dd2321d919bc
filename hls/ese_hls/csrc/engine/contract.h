// Generated: what host, image and engine agree on, as ese_host has it. `make contract` writes it anew.
#ifndef ESE_CONTRACT_H
#define ESE_CONTRACT_H

namespace ese {

// The number behind a name: a bit's place, a word's index, a code.
template <class Name> constexpr int number(Name name) {
    return static_cast<int>(name);
}

// A number's place in a record: its word, its lowest bit and its width; or of so many, `field_spacing` bits apart.
template <int Word, int Low, int Width, int Count = 1> struct Field {
    static constexpr int word = Word, low = Low, width = Width, count = Count;
};
constexpr int field_spacing = 8;

// Kinds of weight code.
enum class Weights {
    ternary = 0,
    int4 = 1,
    int8 = 2,
    int12 = 3,
    int16 = 4,
    codebook4 = 5,
};

// Dense activations (ESE), or zero and unchanged ones left out (EIE, delta networks).
enum class Mode {
    stream = 0,
    skip = 1,
};

// Kinds of activation.
enum class Kind {
    tanh = 0,
    sigmoid = 1,
    hard_tanh = 2,
    hard_sigmoid = 3,
};

// Byte offsets of the AXI4-Lite registers.
enum class Register : unsigned {
    ctrl = 0x00,
    design_id = 0x10,
    image_id = 0x20,
    cycles_low = 0x30,
    cycles_high = 0x40,
    error = 0x50,
};

// What a packet asks for; unreadable only in answers.
enum class Operation {
    unreadable = 0,
    load = 1,
    run = 2,
    reset = 3,
};

// Words of LOAD before the image's.
enum class LoadWord {
    operation = 0,
    words = 1,
};

// Words of RUN before the first sequence's.
enum class RunWord {
    operation = 0,
    flags = 1,
    image_id = 2,
    sequences = 3,
};

// Bits of RUN's flags.
enum class RunFlag {
    trace = 0,
    keep = 1,
};

// Words that end every answer.
enum class TrailerWord {
    magic = 0,
    operation = 1,
    error = 2,
    image_id = 3,
    sequences = 4,
    steps = 5,
    cycles_low = 6,
    cycles_high = 7,
};

// Error codes.
enum class Error {
    ok = 0,
    bad_operation = 1,
    bad_header = 2,
    wrong_design = 3,
    too_large = 4,
    bad_crc = 5,
    no_image = 6,
    wrong_image = 7,
    bad_length = 8,
    short_packet = 9,
    long_packet = 10,
};

// Words of an image's header.
enum class HeaderWord {
    magic = 0,
    version = 1,
    words = 2,
    design_id = 3,
    phases = 4,
    entry_words = 5,
    params = 6,
    cells = 7,
    codebooks = 8,
    inputs = 9,
    outputs = 10,
    flags = 11,
    gate_line = 12,
    cell_line = 13,
    formats = 14,
    weights = 15,
};

// Bits of the first word of a phase's record.
enum class PhaseFlag {
    lstm = 0,
    dense = 1,
    source_ram = 2,
    set = 3,
    ahead = 4,
    last_only = 5,
    zero_state = 6,
    waits_frame = 7,
    frees_frame = 8,
    emits = 9,
    emits_stored = 10,
    output_last_only = 11,
    stores_output = 12,
    relu = 13,
    peepholes = 14,
    first_enabled = 15,
    first_ram = 16,
    second_enabled = 17,
    second_ram = 18,
    delta = 19,
};

// Bits of a stored weight code.
constexpr int code_bits_of(Weights kind) {
    switch (kind) {
    case Weights::ternary:
        return 1;
    case Weights::int4:
        return 4;
    case Weights::int8:
        return 8;
    case Weights::int12:
        return 12;
    case Weights::int16:
        return 16;
    case Weights::codebook4:
        return 4;
    }
    return 0;
}

// Packets (ese_host.protocol).
constexpr unsigned operation_base = 0x45530000;
constexpr unsigned trailer_magic = 0x45534544;
constexpr int trailer_words = 8;
constexpr int max_steps = 65535;
constexpr int max_sequences = 65535;
constexpr int exact_words = 2;
constexpr int trace_words = 4;

// Images (ese_host.image).
constexpr unsigned image_magic = 0x34455345;
constexpr unsigned image_version = 1;
constexpr int header_words = 16;
constexpr int phase_words = 10;
constexpr int scan_words = 3;
constexpr int max_inputs = 16383;
constexpr int count_bits = 16;
constexpr int constant_bits = 16;
constexpr int scale_bits = 16;
constexpr int codebook_levels = 16;
constexpr int max_codebooks = 16;

// Sizes that every engine has (ese_host.image.design).
constexpr int ram_bits = 18;
constexpr int stored_bits = 16;
constexpr int sum_frac = 36;
constexpr int sum_bits = 48;
constexpr int scan_width = 4;
constexpr int writeback = 24;
constexpr int max_pes = 128;
constexpr int max_fifo_depth = 256;

// Activations (ese_host.ir.tables).
constexpr int table_size = 1024;
constexpr int value_frac = 19;
constexpr int step_bits = 13;
constexpr int segment_frac = 13;
constexpr int input_frac = 20;
constexpr int line_bits = 16;
constexpr int line_frac = 15;

// Numbers of the header's words that hold more than one.
namespace header_field {
using every_step = Field<11, 0, 1>;
using alternate = Field<11, 1, 1>;
using pointers = Field<11, 16, 16>;
using gate_slope = Field<12, 0, 16>;
using gate_offset = Field<12, 16, 16>;
using cell_slope = Field<13, 0, 16>;
using cell_offset = Field<13, 16, 16>;
using output_frac = Field<14, 0, 8>;
using acc_bits = Field<14, 8, 8>;
using outputs_stored = Field<14, 16, 1>;
using outputs_signed = Field<14, 17, 1>;
} // namespace header_field

// Numbers of a phase's record; from word `phase_words` on skip mode's.
namespace phase_field {
using codebook = Field<0, 20, 4>;
using stride_log2 = Field<0, 24, 4>;
using bank_positive = Field<0, 28, 2>;
using bank_negative = Field<0, 30, 2>;
using entry_base = Field<1, 0, 16>;
using entry_count = Field<1, 16, 16>;
using source_base = Field<2, 0, 16>;
using items = Field<2, 16, 16>;
using param_base = Field<3, 0, 16>;
using cell_base = Field<3, 16, 16>;
using first_base = Field<4, 0, 16>;
using second_base = Field<4, 16, 16>;
using bank_shift = Field<5, 0, 6, 4>;
using bias_shift = Field<6, 0, 6>;
using peephole_shift = Field<6, 8, 6>;
using stored_shift = Field<6, 16, 6>;
using low = Field<7, 0, 32>;
using high = Field<8, 0, 32>;
using layer = Field<9, 0, 8>;
using part = Field<9, 8, 8>;
using rows = Field<9, 16, 16>;
using pointer_base = Field<10, 0, 16>;
using columns = Field<10, 16, 16>;
using group_base = Field<11, 0, 16>;
using threshold = Field<11, 16, 16>;
using last_base = Field<12, 0, 16>;
} // namespace phase_field

} // namespace ese

#endif
