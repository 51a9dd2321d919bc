// The vector RAMs, which hold inputs, states and outputs of layers. In stream mode there is one copy for every two PEs,
// which read it through its two ports; a write goes through both ports to all copies. In skip mode there is one copy in
// four banks, which the scanner reads.
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

// Both vector RAMs of stream mode, as [RAM][copy][element].
template <class C> struct CopiedVectors {
    static constexpr int pairs = Shape<C>::pairs;

    element_t ram[2][pairs][C::vector_depth];

    CopiedVectors() {
        ESE_INLINE
        ESE_PARTITION(ram, 1)
        ESE_PARTITION(ram, 2)
        ESE_BRAM(ram)
    }

    // One iteration of both ports of RAM `r`: they write if `write` holds anything, otherwise they read one element for
    // each PE. A port has one address in one iteration and either reads or writes, so that HLS needs no third port.
    void access(int r, const Write &write, bool reading, const address_t address[2 * pairs],
                element_t value[2 * pairs]) {
        ESE_INLINE
        bool writing = write.enabled[0] || write.enabled[1];
    copies:
        for (int q = 0; q < pairs; ++q) {
            ESE_UNROLL
        ports:
            for (int port = 0; port < 2; ++port) {
                ESE_UNROLL
                int at = within<C::vector_depth>(writing ? write.address[port] : address[2 * q + port]);
                if (writing) {
                    if (write.enabled[port])
                        ram[r][q][at] = write.value[port];
                } else if (reading) {
                    value[2 * q + port] = ram[r][q][at];
                }
            }
        }
    }
};

// The memories of skip mode's scanner, in banks. In one iteration a row of `scan_width` elements is read and up to two
// elements are written. The two are next to each other, and so never in the same bank.
template <class C> struct WideVectors {
    static constexpr int rows = C::vector_depth / scan_width, last_rows = Shape<C>::delta_depth / scan_width;

    element_t ram[2][scan_width][rows];    // both vector RAMs
    element_t last[scan_width][last_rows]; // delta phases: value of each element when it was last broadcast

    WideVectors() {
        ESE_INLINE
        ESE_PARTITION(ram, 1)
        ESE_PARTITION(ram, 2)
        ESE_WIDE_BRAM(ram)
        ESE_PARTITION(last, 1)
        ESE_WIDE_BRAM(last)
    }

    void write(int r, const Write &write) {
        ESE_INLINE
    banks:
        for (int b = 0; b < scan_width; ++b) {
            ESE_UNROLL
            bool first = write.enabled[0] && (write.address[0] & (scan_width - 1)) == b;
            bool second = write.enabled[1] && (write.address[1] & (scan_width - 1)) == b;
            // The address itself is chosen, because Bambu reads the wrong one if the code chooses an index.
            address_t address = first ? write.address[0] : write.address[1];
            if (first || second)
                ram[r][b][row_of<rows>(address)] = first ? write.value[0] : write.value[1];
        }
    }

    // Read the row of RAM `r` that begins with element `address`.
    void row(bool r, address_t address, element_t value[scan_width]) const {
        ESE_INLINE
    banks:
        for (int b = 0; b < scan_width; ++b) {
            ESE_UNROLL
            element_t both[2] = {ram[0][b][row_of<rows>(address)], ram[1][b][row_of<rows>(address)]};
            value[b] = r ? both[1] : both[0];
        }
    }

    void last_row(address_t address, element_t value[scan_width]) const {
        ESE_INLINE
    banks:
        for (int b = 0; b < scan_width; ++b) {
            ESE_UNROLL
            value[b] = last[b][row_of<last_rows>(address)];
        }
    }

    void store_last(address_t address, const element_t value[scan_width]) {
        ESE_INLINE
    banks:
        for (int b = 0; b < scan_width; ++b) {
            ESE_UNROLL
            last[b][row_of<last_rows>(address)] = value[b];
        }
    }

  private:
    template <int Rows> static int row_of(address_t address) { return within<Rows>(address / scan_width); }
};

template <class C> using Vectors = std::conditional_t<Shape<C>::skips, WideVectors<C>, CopiedVectors<C>>;

} // namespace ese

#endif
