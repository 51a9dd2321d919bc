// The memories that an image fills (entries, phases, parameters, codebooks and the tanh table) and the cell state.
#ifndef ESE_MEMORIES_H
#define ESE_MEMORIES_H

#include "phase.h"

namespace ese {

template <class C> struct Memories {
    typename Shape<C>::entry_word_t entries[C::pes][C::entry_depth];
    address_t counts[C::pes][Shape<C>::skips ? 1 : C::phases]; // stream mode: entries of each PE in each phase
    pointer_t pointers[C::pes][Shape<C>::pointer_depth];       // skip mode: where each column begins
    Phase phases[C::phases];
    constant_t codebook[C::pes][C::weights == Weights::codebook4 ? max_codebooks * codebook_levels : 1];
    scale_t scale[C::units][gates][C::acc_banks][C::param_depth];
    constant_t bias[C::units][gates][C::param_depth];
    constant_t peephole[C::units][3][C::cell_depth];
    constant_t cell[C::units][C::cell_depth];
    word_t table[C::units][3][table_size]; // three copies per unit: a cell looks up five values, a copy has two ports

    uint_t<7> phase_count;
    uint_t<14> inputs; // width of an input frame
    bool alternate;    // the two accumulator sets change roles with every step
    bool persistent;   // the sums of at least one phase persist from step to step
    Lines lines;
    word_t image_id; // 0 if no image is loaded

    Memories() {
        ESE_PARTITION(entries, 1)
        ESE_BRAM(entries)
        ESE_PARTITION(counts, 1)
        ESE_LUTRAM(counts)
        ESE_PARTITION(pointers, 1)
        ESE_BRAM(pointers)
        ESE_LUTRAM(phases)
        ESE_PARTITION(codebook, 1)
        ESE_LUTRAM(codebook)
        ESE_PARTITION(scale, 1)
        ESE_PARTITION(scale, 2)
        ESE_PARTITION(scale, 3)
        ESE_PARTITION(bias, 1)
        ESE_PARTITION(bias, 2)
        ESE_PARTITION(peephole, 1)
        ESE_PARTITION(peephole, 2)
        ESE_PARTITION(cell, 1)
        ESE_PARTITION(table, 1)
        ESE_PARTITION(table, 2)
        ESE_BRAM(table)
    }
};

} // namespace ese

#endif
