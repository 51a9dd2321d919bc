// SPDX-License-Identifier: Apache-2.0
// Everything that an engine keeps in RAMs: what an image fills (entries, phases, parameters, codebooks, the tanh
// table), the vectors, the cell state, and the columns that wait in front of the PEs in skip mode.
#ifndef ESE_MEMORIES_H
#define ESE_MEMORIES_H

#include "pe.h"
#include "phase.h"
#include "vectors.h"

namespace ese {

template <class C> struct Memories {
    static constexpr int books = C::weights == Weights::codebook4 ? max_codebooks * codebook_levels : 1;
    static constexpr int peephole_depth = C::lstm ? C::cell_depth : 1;

    VectorRam<C> vectors[2];
    element_t last[scan_width][Shape<C>::last_words]; // delta phases: value of each element when last broadcast

    typename Shape<C>::entry_word_t entries[C::pes][C::entry_depth];
    pointer_t pointers[C::pes][Shape<C>::pointer_depth]; // skip mode: where each column begins
    Column<C> fifo[C::pes][Shape<C>::fifo_depth];        // skip mode: columns on their way to a PE
    word_t phases[Shape<C>::record_words][C::phases];    // the words of the phase records
    bool fresh[C::phases];                               // the matrix of a phase has not run since the state was zero
    constant_t codebook[C::pes][books];
    scale_t scale[C::units][gates][C::acc_banks][C::param_depth];
    constant_t bias[C::units][gates][C::param_depth];
    constant_t peephole[C::units][3][peephole_depth];
    constant_t cell[C::units][C::cell_depth]; // c of an LSTM, h of a GRU
    word_t table[C::units][Shape<C>::tables][table_size];

    uint_t<7> phase_count;
    uint_t<14> inputs; // width of an input frame
    bool alternate;    // the two accumulator sets change roles with every step
    bool persistent;   // the sums of at least one phase persist from step to step
    Lines lines[C::sets];
    word_t image_id; // 0 if no image is loaded
    bool has_state;  // the last sequence has left its state, from which the next one may continue

    // The record of phase `index`.
    Phase phase(int index) const {
        ESE_INLINE
        word_t record[Shape<C>::record_words];
    words:
        for (int w = 0; w < Shape<C>::record_words; ++w) {
            ESE_UNROLL
            record[w] = phases[w][index];
        }
        Phase phase = decode_phase(record);
        if (C::gru && phase.stage == Stage::lstm)
            phase.stage = decode_cells(record);
        if (C::sets > 1)
            phase.format_set = field<phase_field::format_set>(record);
        if (Shape<C>::skips)
            phase.scan = decode_scan(record);
        return phase;
    }
};

// Stands where an engine's memories are defined, and says of each array what it becomes.
#define ESE_MEMORIES(memory)                                                                                           \
    ESE_DISAGGREGATE(memory)                                                                                           \
    ESE_PARTITION(memory.vectors, 1)                                                                                   \
    ESE_PARTITION(memory.vectors, 2)                                                                                   \
    ESE_BRAM(memory.vectors)                                                                                           \
    ESE_PARTITION(memory.last, 1)                                                                                      \
    ESE_BRAM(memory.last)                                                                                              \
    ESE_PARTITION(memory.entries, 1)                                                                                   \
    ESE_BRAM(memory.entries)                                                                                           \
    ESE_PARTITION(memory.pointers, 1)                                                                                  \
    ESE_BRAM(memory.pointers)                                                                                          \
    ESE_PARTITION(memory.fifo, 1)                                                                                      \
    ESE_LUTRAM(memory.fifo)                                                                                            \
    ESE_PARTITION(memory.phases, 1)                                                                                    \
    ESE_LUTRAM(memory.phases)                                                                                          \
    ESE_PARTITION(memory.codebook, 1)                                                                                  \
    ESE_LUTRAM(memory.codebook)                                                                                        \
    ESE_PARTITION(memory.scale, 1)                                                                                     \
    ESE_PARTITION(memory.scale, 2)                                                                                     \
    ESE_PARTITION(memory.scale, 3)                                                                                     \
    ESE_PARTITION(memory.bias, 1)                                                                                      \
    ESE_PARTITION(memory.bias, 2)                                                                                      \
    ESE_PARTITION(memory.peephole, 1)                                                                                  \
    ESE_PARTITION(memory.peephole, 2)                                                                                  \
    ESE_PARTITION(memory.cell, 1)                                                                                      \
    ESE_PARTITION(memory.table, 1)                                                                                     \
    ESE_PARTITION(memory.table, 2)                                                                                     \
    ESE_BRAM(memory.table)

} // namespace ese

#endif
