// The vector RAMs, which hold inputs, states and outputs of layers. In stream mode there is one copy for every two PEs,
// which read it through its two ports; a write goes through both ports to all copies. In skip mode there is one copy,
// which the scanner reads.
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

    // One iteration of both ports: they write if `write` holds anything, otherwise they read one element for each PE. A
    // port either reads or writes in one iteration, so that HLS needs no third port.
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

// The vector RAM of skip mode. In one iteration a row of `scan_width` elements is read and up to two elements are
// written. The two are next to each other, and so never in the same bank.
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
            // The address itself is chosen, because Bambu reads the wrong one if the code chooses an index.
            address_t address = first ? write.address[0] : write.address[1];
            if (first || second)
                ram[b][row_of(address)] = first ? write.value[0] : write.value[1];
        }
    }

    // Read the row that begins with element `address`.
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
