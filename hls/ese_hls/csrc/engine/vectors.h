// The vector RAMs. Stream mode: one copy for two PEs, which read it through its two ports; or both ports write, to all
// copies. Skip mode: one copy, read by the scanner.
#ifndef ESE_VECTORS_H
#define ESE_VECTORS_H

#include "types.h"

namespace ese {

// Up to two elements to be written in this iteration.
struct Write {
    bool enabled[2];
    address_t address[2];
    element_t value[2];
};

template <class C> struct VectorRam {
    static constexpr int pairs = Shape<C>::pairs;

    element_t ram[pairs][C::vector_depth];

    VectorRam() {
        ESE_PARTITION(ram, 1)
        ESE_BRAM(ram)
    }

    // One iteration of both ports: a write where `write` holds one, else each PE's read. A port does one or the
    // other, so that HLS needs no third.
    void access(const Write &write, bool reading, const address_t address[2 * pairs], element_t value[2 * pairs]) {
        ESE_INLINE
        bool writing = write.enabled[0] || write.enabled[1];
    copies:
        for (int q = 0; q < pairs; ++q) {
            ESE_UNROLL
        ports:
            for (int port = 0; port < 2; ++port) {
                ESE_UNROLL
                if (writing) {
                    if (write.enabled[port])
                        ram[q][within<C::vector_depth>(write.address[port])] = write.value[port];
                } else if (reading) {
                    value[2 * q + port] = ram[q][within<C::vector_depth>(address[2 * q + port])];
                }
            }
        }
    }
};

// Skip mode's vector RAM: a row of `scan_width` elements is read while up to two elements next to each other, which are
// never in the same bank, are written.
template <int Depth> struct WideRam {
    static constexpr int rows = Depth / scan_width;

    element_t ram[scan_width][rows];

    WideRam() {
        ESE_PARTITION(ram, 1)
        ESE_WIDE_BRAM(ram)
    }

    void write(const Write &write) {
        ESE_INLINE
    banks:
        for (int b = 0; b < scan_width; ++b) {
            ESE_UNROLL
            bool first = write.enabled[0] && (write.address[0] & (scan_width - 1)) == b;
            bool second = write.enabled[1] && (write.address[1] & (scan_width - 1)) == b;
            // chosen by value: Bambu reads the wrong one where an index is chosen
            address_t address = first ? write.address[0] : write.address[1];
            if (first || second)
                ram[b][row_of(address)] = first ? write.value[0] : write.value[1];
        }
    }

    // The row that element `address` begins.
    void row(address_t address, element_t value[scan_width]) const {
        ESE_INLINE
    banks:
        for (int b = 0; b < scan_width; ++b) {
            ESE_UNROLL
            value[b] = ram[b][row_of(address)];
        }
    }

    void store_row(address_t address, const element_t value[scan_width]) {
        ESE_INLINE
    banks:
        for (int b = 0; b < scan_width; ++b) {
            ESE_UNROLL
            ram[b][row_of(address)] = value[b];
        }
    }

  private:
    static int row_of(address_t address) { return within<rows>(address / scan_width); }
};

} // namespace ese

#endif
