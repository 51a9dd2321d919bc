// SPDX-License-Identifier: Apache-2.0
// The packet LOAD: it writes an image into the memories word by word. The image is valid only once its CRC is right.
#ifndef ESE_LOADER_H
#define ESE_LOADER_H

#include "engine.h"

namespace ese {

// How far an image has been read: the words that are left, their CRC so far, and bits of a bit-packed section.
struct ImageReader {
    word_t crc, left;
    uint_t<64> buffer;
    uint_t<7> held;

    explicit ImageReader(word_t words) : crc(crc_start), left(words), buffer(0), held(0) {}

    // The next word. After the last one it is zero, and no more words are taken from the packet.
    template <class In, class Stream> word_t word(In &in, Stream &stream) {
        ESE_SHARED
        if (left == 0)
            return 0;
        left -= 1;
        word_t value = in.word(stream);
        if (in.ended_early())
            left = 0;
        if (left != 0) // the last word is the CRC itself
            crc = crc32(crc, value);
        return value;
    }

    // The next `bits` of a bit-packed section.
    template <class In, class Stream> word_t take(In &in, Stream &stream, int bits) {
        ESE_SHARED
        if (held < bits) {
            buffer |= uint_t<64>(word(in, stream)) << int(held);
            held += 32;
        }
        word_t value = buffer & ((uint_t<64>(1) << bits) - 1);
        buffer = buffer >> bits;
        held -= bits;
        return value;
    }

    // Pass over the words of a section of so many bits.
    template <class In, class Stream> void pass(In &in, Stream &stream, word_t bits) {
    words:
        for (word_t i = 0; i < (bits + 31) / 32; ++i)
            word(in, stream);
    }

    // Go to the next whole word, with which the next section begins.
    void align() {
        ESE_INLINE
        buffer = 0;
        held = 0;
    }
};

template <class C> struct Loader {
    ImageReader image;
    word_t header[header_words];

    explicit Loader(word_t words) : image(words) {}

    template <class In, class Stream> Error load(Memories<C> &memory, In &in, Stream &stream) {
        word_t words = image.left;
        memory.image_id = 0;
    header:
        for (int i = 0; i < header_words; ++i)
            header[i] = image.word(in, stream);
        Error error = check(words);
        if (error == Error::ok) {
            bool inside = sections(memory, in, stream);
            word_t found = image.word(in, stream), expected = ~image.crc;
            error = found != expected ? Error::bad_crc : inside ? Error::ok : Error::too_large;
            if (error == Error::ok)
                memory.image_id = expected;
        }
    drain:
        while (image.left != 0)
            image.word(in, stream);
        return error;
    }

  private:
    word_t of(HeaderWord word) const {
        ESE_INLINE
        return header[number(word)];
    }

    Error check(word_t words) const {
        if (of(HeaderWord::magic) != image_magic || of(HeaderWord::version) != image_version ||
            of(HeaderWord::words) != words)
            return Error::bad_header;
        if (of(HeaderWord::design_id) != C::design_id)
            return Error::wrong_design;
        bool fits = of(HeaderWord::phases) <= C::phases && of(HeaderWord::entry_words) <= C::entry_depth &&
                    of(HeaderWord::params) <= C::units * C::param_depth &&
                    of(HeaderWord::cells) <= C::units * C::cell_depth &&
                    of(HeaderWord::codebooks) <= (C::weights == Weights::codebook4 ? max_codebooks : 0) &&
                    of(HeaderWord::inputs) != 0 && of(HeaderWord::inputs) <= C::vector_depth &&
                    of(HeaderWord::inputs) <= max_inputs && pointers() <= C::pointer_depth;
        return fits ? Error::ok : Error::too_large;
    }

    // Number of column pointers of each PE.
    word_t pointers() const { return field<header_field::pointers>(header); }

    // Fill every memory. Returns whether the design has the cells of all phases, and all phases and column pointers
    // refer only to what is stored.
    template <class In, class Stream> bool sections(Memories<C> &memory, In &in, Stream &stream) {
        memory.phase_count = of(HeaderWord::phases);
        memory.inputs = of(HeaderWord::inputs);
        memory.alternate = field<header_field::alternate>(header) != 0;
        memory.lines[0].gate = line_of(of(HeaderWord::gate_line));
        memory.lines[0].cell = line_of(of(HeaderWord::cell_line));
        memory.persistent = false;
        bool inside = load_phases(memory, in, stream);
        load_codebooks(memory, in, stream);
        load_parameters(memory, in, stream);
        load_peepholes(memory, in, stream);
        load_entries(memory, in, stream);
        if (C::window != 0)
            // The bits that advance the activation window: this engine holds the whole vectors instead.
            image.pass(in, stream, of(HeaderWord::entry_words) * Shape<C>::advance_bits);
        if (Shape<C>::skips)
            inside = load_pointers(memory, in, stream) && inside;
        load_lines(memory, in, stream);
        load_table(memory, in, stream);
        return inside;
    }

    template <class In, class Stream> bool load_phases(Memories<C> &memory, In &in, Stream &stream) {
        bool inside = true;
    phases:
        for (word_t i = 0; i < of(HeaderWord::phases); ++i) {
            word_t record[Shape<C>::record_words];
        words:
            for (int w = 0; w < Shape<C>::record_words; ++w)
                memory.phases[w][i] = record[w] = image.word(in, stream);
            inside = (C::lstm || memory.phase(i).stage != Stage::lstm) && inside; // or the design lacks the cells
            inside = (Shape<C>::skips ? scan_inside(memory, record) : entries_inside(memory.phase(i))) && inside;
            if (!Shape<C>::skips)
                image.pass(in, stream, C::pes * count_bits); // all PEs execute as many entries as the fullest one
        }
        return inside;
    }

    // Stream mode: whether the phase uses only stored entries.
    bool entries_inside(const Phase &phase) const {
        int per_word = is_full<C>(phase) ? Shape<C>::codes_per_word : Shape<C>::entries_per_word;
        word_t entry_words = phase.entry_count / per_word + (phase.entry_count % per_word != 0);
        return phase.entry_base + entry_words <= of(HeaderWord::entry_words);
    }

    // Skip mode: whether the phase uses only stored column pointers.
    bool scan_inside(Memories<C> &memory, const word_t record[Shape<C>::record_words]) const {
        Scan scan = decode_scan(record);
        memory.persistent = memory.persistent || scan.delta;
        return word_t(scan.pointer_base) + scan.columns < pointers();
    }

    template <class In, class Stream> void load_codebooks(Memories<C> &memory, In &in, Stream &stream) {
    books:
        for (word_t i = 0; i < codebook_levels * of(HeaderWord::codebooks); ++i) {
            constant_t level = image.take(in, stream, constant_bits);
        copies:
            for (int p = 0; p < C::pes; ++p) {
                ESE_UNROLL
                memory.codebook[p][C::weights == Weights::codebook4 ? int(i) : 0] = level;
            }
        }
        image.align();
    }

    // Each item has four columns, each with the scales of all banks and a bias: the gates of a cell, or four rows of
    // another matrix. The items go to the units in turn.
    template <class In, class Stream> void load_parameters(Memories<C> &memory, In &in, Stream &stream) {
        int unit = 0, index = 0;
    rows:
        for (word_t i = 0; i < of(HeaderWord::params); ++i) {
        columns:
            for (int g = 0; g < gates; ++g) {
            banks:
                for (int b = 0; b < C::acc_banks; ++b)
                    memory.scale[unit][g][b][index] = image.take(in, stream, scale_bits);
                memory.bias[unit][g][index] = image.take(in, stream, constant_bits);
            }
            next_item(unit, index);
        }
        image.align();
    }

    static void next_item(int &unit, int &index) {
        ESE_INLINE
        bool wraps = unit + 1 == C::units;
        unit = wraps ? 0 : unit + 1;
        index += wraps ? 1 : 0;
    }

    template <class In, class Stream> void load_peepholes(Memories<C> &memory, In &in, Stream &stream) {
        int unit = 0, index = 0;
    cells:
        for (word_t i = 0; i < of(HeaderWord::cells); ++i) {
        gates:
            for (int g = 0; g < 3; ++g)
                memory.peephole[unit][g][C::lstm ? index : 0] = image.take(in, stream, constant_bits);
            next_item(unit, index);
        }
        image.align();
    }

    template <class In, class Stream> void load_entries(Memories<C> &memory, In &in, Stream &stream) {
    words:
        for (word_t i = 0; i < of(HeaderWord::entry_words); ++i) {
        pes:
            for (int p = 0; p < C::pes; ++p)
                memory.entries[p][i] = entry_word(in, stream);
        }
        image.align();
    }

    // Read an entry word, one block RAM's width at a time.
    template <class In, class Stream> typename Shape<C>::entry_word_t entry_word(In &in, Stream &stream) {
        ESE_INLINE
        using entry_word_t = typename Shape<C>::entry_word_t;
        entry_word_t value = 0;
    rams:
        for (int at = 0; at < Shape<C>::word_bits; at += ram_bits)
            value |= entry_word_t(image.take(in, stream, ram_bits)) << at;
        return value;
    }

    // Returns whether the pointers of every PE ascend and do not go beyond the stored entries.
    template <class In, class Stream> bool load_pointers(Memories<C> &memory, In &in, Stream &stream) {
        bool inside = true;
        word_t before[C::pes];
    first:
        for (int p = 0; p < C::pes; ++p)
            before[p] = 0;
    pointers:
        for (word_t i = 0; i < pointers(); ++i) {
        pes:
            for (int p = 0; p < C::pes; ++p) {
                word_t pointer = image.take(in, stream, ram_bits);
                EntryAddress<C> at = EntryAddress<C>::unpack(pointer);
                bool whole =
                    at.word < of(HeaderWord::entry_words) || (at.word == of(HeaderWord::entry_words) && at.slot == 0);
                inside = inside && whole && at.slot < Shape<C>::slots && pointer >= before[p];
                before[p] = pointer;
                memory.pointers[p][within<Shape<C>::pointer_depth>(i)] = pointer;
            }
        }
        image.align();
        return inside;
    }

    // The slope and offset of a hard activation.
    static Line line_of(word_t word) {
        Line line;
        line.slope = field(word, 0, line_bits);
        line.offset = field(word, line_bits, line_bits);
        return line;
    }

    // The lines of all format sets but the first, whose are in the header.
    template <class In, class Stream> void load_lines(Memories<C> &memory, In &in, Stream &stream) {
    sets:
        for (int s = 1; s < C::sets; ++s) {
            memory.lines[s].gate = line_of(image.word(in, stream));
            memory.lines[s].cell = line_of(image.word(in, stream));
        }
    }

    template <class In, class Stream> void load_table(Memories<C> &memory, In &in, Stream &stream) {
    segments:
        for (int i = 0; i < table_size; ++i) {
            word_t segment = image.word(in, stream);
        copies:
            for (int u = 0; u < C::units; ++u) {
                ESE_UNROLL
                memory.table[u][0][i] = segment;
                memory.table[u][1][i] = segment;
                if (C::lstm)
                    memory.table[u][Shape<C>::tables - 1][i] = segment;
            }
        }
    }
};

} // namespace ese

#endif
