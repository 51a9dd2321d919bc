// The phase table: what the engine does in one step, one record a phase (docs/image-format.md).
#ifndef ESE_PHASE_H
#define ESE_PHASE_H

#include "types.h"

namespace ese {

constexpr int phase_words = 10;
constexpr int scan_words = 3; // more in skip mode

enum class Stage { none, lstm, dense };

// Where an element-wise result goes: vector RAM 0 (A) or 1 (B), from `base` on.
struct Target {
    bool enabled;
    bool ram;
    address_t base;
};

// What skip mode adds to a phase.
struct Scan {
    bool delta;             // changes are broadcast, and sums persist from step to step
    address_t pointer_base; // first column pointer
    address_t columns;
    address_t group_base; // first group of accumulators
    uint_t<16> threshold; // a change up to it is not broadcast
    address_t last_base;  // first element of what was last broadcast
};

struct Phase {
    Stage stage;           // element-wise stage that the matrix is followed by
    bool source_ram;       // vector RAM that the PEs read
    bool set;              // accumulator set that they fill
    bool ahead;            // belongs to the next step: also run before the first, not in the last
    bool last_only;        // run in the last step alone
    bool zero_state;       // reads the state: no matrix where the state is zero
    bool waits_frame;      // needs an input frame
    bool frees_frame;      // is the last to read it
    bool emits;            // results leave the engine
    bool emits_stored;     // as stored, not exact
    bool output_last_only; // second target and emission in the last step alone
    bool stores_output;    // the first target gets the output, not the state
    bool relu;
    bool peepholes;
    address_t entry_base, entry_count;
    address_t source_base;
    uint_t<4> codebook, stride_log2;
    uint_t<2> bank_positive, bank_negative;
    address_t items, param_base, cell_base;
    Target first, second;
    uint_t<6> bank_shift[4];
    uint_t<6> bias_shift, peephole_shift, stored_shift;
    element_t low, high; // range of a Dense layer's stored output
    address_t rows;      // of each PE where every weight is stored, column by column; zero where entries have gaps
    Scan scan;           // skip mode alone
};

inline Phase decode_phase(const word_t w[phase_words]) {
    ESE_INLINE
    Phase p;
    p.stage = bit(w[0], 0) ? Stage::lstm : bit(w[0], 1) ? Stage::dense : Stage::none;
    p.source_ram = bit(w[0], 2);
    p.set = bit(w[0], 3);
    p.ahead = bit(w[0], 4);
    p.last_only = bit(w[0], 5);
    p.zero_state = bit(w[0], 6);
    p.waits_frame = bit(w[0], 7);
    p.frees_frame = bit(w[0], 8);
    p.emits = bit(w[0], 9);
    p.emits_stored = bit(w[0], 10);
    p.output_last_only = bit(w[0], 11);
    p.stores_output = bit(w[0], 12);
    p.relu = bit(w[0], 13);
    p.peepholes = bit(w[0], 14);
    p.first.enabled = bit(w[0], 15);
    p.first.ram = bit(w[0], 16);
    p.second.enabled = bit(w[0], 17);
    p.second.ram = bit(w[0], 18);
    p.codebook = field(w[0], 20, 4);
    p.stride_log2 = field(w[0], 24, 4);
    p.bank_positive = field(w[0], 28, 2);
    p.bank_negative = field(w[0], 30, 2);
    p.entry_base = field(w[1], 0, 16);
    p.entry_count = field(w[1], 16, 16);
    p.source_base = field(w[2], 0, 16);
    p.items = field(w[2], 16, 16);
    p.param_base = field(w[3], 0, 16);
    p.cell_base = field(w[3], 16, 16);
    p.first.base = field(w[4], 0, 16);
    p.second.base = field(w[4], 16, 16);
shifts:
    for (int b = 0; b < 4; ++b) {
        ESE_UNROLL
        p.bank_shift[b] = field(w[5], 8 * b, 6);
    }
    p.bias_shift = field(w[6], 0, 6);
    p.peephole_shift = field(w[6], 8, 6);
    p.stored_shift = field(w[6], 16, 6);
    p.low = int_t<32>(w[7]);
    p.high = int_t<32>(w[8]);
    p.rows = field(w[9], 16, 16);
    return p;
}

// Whether the phase's matrix is stored full; no design without full phases asks.
template <class C> bool is_full(const Phase &phase) {
    ESE_INLINE
    return C::full_phases && phase.rows != 0;
}

// `w` is the record's part behind `first`, its first word.
inline Scan decode_scan(word_t first, const word_t w[scan_words]) {
    ESE_INLINE
    Scan s;
    s.delta = bit(first, 19);
    s.pointer_base = field(w[0], 0, 16);
    s.columns = field(w[0], 16, 16);
    s.group_base = field(w[1], 0, 16);
    s.threshold = field(w[1], 16, 16);
    s.last_base = field(w[2], 0, 16);
    return s;
}

} // namespace ese

#endif
