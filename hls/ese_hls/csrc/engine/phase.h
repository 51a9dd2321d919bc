// SPDX-License-Identifier: Apache-2.0
// The phase table: it lists what the engine does in one step, with one record per phase
// (docs/reference/image-format.md).
#ifndef ESE_PHASE_H
#define ESE_PHASE_H

#include "types.h"

namespace ese {

// What follows a matrix: nothing, cells of an LSTM, rows of another matrix, cells of a GRU with `reset_after` or
// without it, or r * h of the latter, after which the sums and the state stay as they are.
enum class Stage { none, lstm, dense, gru, gru_before, reset };

// The destination of element-wise results: vector RAM 0 (A) or 1 (B), starting at address `base`.
struct Target {
    bool enabled;
    bool ram;
    address_t base;
};

// The part of a phase that only skip mode has.
struct Scan {
    bool delta;             // changes of activations are broadcast, and the sums persist from step to step
    address_t pointer_base; // address of the first column pointer
    address_t columns;
    address_t group_base; // first group of accumulators
    uint_t<16> threshold; // only a change beyond it is broadcast
    address_t last_base;  // address of the first element in the memory of last broadcast values
};

struct Phase {
    Stage stage;           // element-wise stage that follows the matrix
    bool source_ram;       // vector RAM that the PEs read
    bool set;              // accumulator set that the PEs fill
    bool ahead;            // works for the next step: also run before the first step, but not in the last
    bool last_only;        // run only in the last step
    bool zero_state;       // multiplies the state: the matrix is skipped while the state is zero
    bool waits_frame;      // needs an input frame
    bool frees_frame;      // is the last phase of a step that reads the input frame
    bool emits;            // results leave the engine
    bool emits_stored;     // results leave in their stored format, otherwise exact
    bool output_last_only; // second target and output only in the last step
    bool stores_output;    // the first target gets the output instead of the state
    bool relu;
    bool peepholes;
    address_t entry_base, entry_count; // first word of the matrix in entry memory, and entries of the fullest PE
    address_t source_base;             // address of the first element of the vector that the PEs read
    uint_t<phase_field::codebook::width> codebook;
    uint_t<phase_field::stride_log2::width> stride_log2; // log2 of the positions that a column has in each PE
    uint_t<phase_field::bank_positive::width> bank_positive, bank_negative; // banks of positive and negative weights
    address_t items, param_base, cell_base; // items of the stage, and where each unit's parameters and cells begin
    Target first, second;
    uint_t<phase_field::bank_shift::width> bank_shift[phase_field::bank_shift::count];
    uint_t<phase_field::bias_shift::width> bias_shift, peephole_shift, stored_shift;
    uint_t<phase_field::format_set::width> format_set; // of a stage of cells; only in a design of several sets
    element_t low, high;                               // range of a Dense layer's stored output
    address_t rows; // full phase: rows of each PE, which stores every weight column by column; otherwise zero
    Scan scan;      // only in skip mode
};

inline Phase decode_phase(const word_t w[phase_words]) {
    ESE_INLINE
    Phase p;
    p.stage = has(w[0], PhaseFlag::lstm) ? Stage::lstm : has(w[0], PhaseFlag::dense) ? Stage::dense : Stage::none;
    p.source_ram = has(w[0], PhaseFlag::source_ram);
    p.set = has(w[0], PhaseFlag::set);
    p.ahead = has(w[0], PhaseFlag::ahead);
    p.last_only = has(w[0], PhaseFlag::last_only);
    p.zero_state = has(w[0], PhaseFlag::zero_state);
    p.waits_frame = has(w[0], PhaseFlag::waits_frame);
    p.frees_frame = has(w[0], PhaseFlag::frees_frame);
    p.emits = has(w[0], PhaseFlag::emits);
    p.emits_stored = has(w[0], PhaseFlag::emits_stored);
    p.output_last_only = has(w[0], PhaseFlag::output_last_only);
    p.stores_output = has(w[0], PhaseFlag::stores_output);
    p.relu = has(w[0], PhaseFlag::relu);
    p.peepholes = has(w[0], PhaseFlag::peepholes);
    p.first.enabled = has(w[0], PhaseFlag::first_enabled);
    p.first.ram = has(w[0], PhaseFlag::first_ram);
    p.second.enabled = has(w[0], PhaseFlag::second_enabled);
    p.second.ram = has(w[0], PhaseFlag::second_ram);
    p.codebook = field<phase_field::codebook>(w);
    p.stride_log2 = field<phase_field::stride_log2>(w);
    p.bank_positive = field<phase_field::bank_positive>(w);
    p.bank_negative = field<phase_field::bank_negative>(w);
    p.entry_base = field<phase_field::entry_base>(w);
    p.entry_count = field<phase_field::entry_count>(w);
    p.source_base = field<phase_field::source_base>(w);
    p.items = field<phase_field::items>(w);
    p.param_base = field<phase_field::param_base>(w);
    p.cell_base = field<phase_field::cell_base>(w);
    p.first.base = field<phase_field::first_base>(w);
    p.second.base = field<phase_field::second_base>(w);
shifts:
    for (int b = 0; b < phase_field::bank_shift::count; ++b) {
        ESE_UNROLL
        p.bank_shift[b] = field<phase_field::bank_shift>(w, b);
    }
    p.bias_shift = field<phase_field::bias_shift>(w);
    p.peephole_shift = field<phase_field::peephole_shift>(w);
    p.stored_shift = field<phase_field::stored_shift>(w);
    // A bound is cut to the width of an element, so that no image makes a wider element.
    p.low = signed_bits<element_bits>(w[phase_field::low::word]);
    p.high = signed_bits<element_bits>(w[phase_field::high::word]);
    p.rows = field<phase_field::rows>(w);
    return p;
}

// The stage of a phase with cells in a design that has cells of a GRU; decode_phase takes all cells for those of an
// LSTM.
inline Stage decode_cells(const word_t w[phase_words]) {
    ESE_INLINE
    const CellKind kind = CellKind(int(field<phase_field::cell_kind>(w)));
    return kind == CellKind::gru          ? Stage::gru
           : kind == CellKind::gru_before ? Stage::gru_before
           : kind == CellKind::reset      ? Stage::reset
                                          : Stage::lstm;
}

// Whether the stage of the phase makes r * h of a GRU.
template <class C> bool resets(const Phase &phase) {
    ESE_INLINE
    return C::gru && phase.stage == Stage::reset;
}

// Whether the matrix of the phase is stored full; always false in a design without full phases.
template <class C> bool is_full(const Phase &phase) {
    ESE_INLINE
    return C::full_phases && phase.rows != 0;
}

// Decode the part of a record that only skip mode has.
inline Scan decode_scan(const word_t w[phase_words + scan_words]) {
    ESE_INLINE
    Scan s;
    s.delta = has(w[0], PhaseFlag::delta);
    s.pointer_base = field<phase_field::pointer_base>(w);
    s.columns = field<phase_field::columns>(w);
    s.group_base = field<phase_field::group_base>(w);
    s.threshold = field<phase_field::threshold>(w);
    s.last_base = field<phase_field::last_base>(w);
    return s;
}

} // namespace ese

#endif
