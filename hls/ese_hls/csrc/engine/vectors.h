// SPDX-License-Identifier: Apache-2.0
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

// One vector RAM, as [copy or bank][element].
template <class C> using VectorRam = element_t[Shape<C>::vector_copies][Shape<C>::vector_words];

// Stream mode: one iteration of both ports of all copies. They write if `write` holds anything, otherwise they read one
// element for each PE. A port has one address in an iteration and either reads or writes, so that HLS needs no third.
template <class C>
void access_copies(VectorRam<C> &ram, const Write &write, bool reading, const address_t address[2 * Shape<C>::pairs],
                   element_t value[2 * Shape<C>::pairs]) {
    ESE_INLINE
    bool writing = write.enabled[0] || write.enabled[1];
copies:
    for (int q = 0; q < Shape<C>::pairs; ++q) {
        ESE_UNROLL
    ports:
        for (int port = 0; port < 2; ++port) {
            ESE_UNROLL
            int at = within<C::vector_depth>(writing ? write.address[port] : address[2 * q + port]);
            if (writing) {
                if (write.enabled[port])
                    ram[q][at] = write.value[port];
            } else if (reading) {
                value[2 * q + port] = ram[q][at];
            }
        }
    }
}

template <int Rows> int row_of(address_t address) {
    return within<Rows>(address / scan_width);
}

// Skip mode: write up to two elements, which are next to each other, and so never in the same bank.
template <class C> void write_banks(VectorRam<C> &ram, const Write &write) {
    ESE_INLINE
banks:
    for (int b = 0; b < scan_width; ++b) {
        ESE_UNROLL
        bool first = write.enabled[0] && (write.address[0] & (scan_width - 1)) == b;
        bool second = write.enabled[1] && (write.address[1] & (scan_width - 1)) == b;
        // The address itself is chosen, because Bambu reads the wrong one if the code chooses an index.
        address_t address = first ? write.address[0] : write.address[1];
        if (first || second)
            ram[b][row_of<Shape<C>::vector_words>(address)] = first ? write.value[0] : write.value[1];
    }
}

// Skip mode: read the row of `scan_width` elements that begins with element `address`.
template <int Rows>
void read_row(const element_t ram[scan_width][Rows], address_t address, element_t value[scan_width]) {
    ESE_INLINE
banks:
    for (int b = 0; b < scan_width; ++b) {
        ESE_UNROLL
        value[b] = ram[b][row_of<Rows>(address)];
    }
}

template <int Rows>
void write_row(element_t ram[scan_width][Rows], address_t address, const element_t value[scan_width]) {
    ESE_INLINE
banks:
    for (int b = 0; b < scan_width; ++b) {
        ESE_UNROLL
        ram[b][row_of<Rows>(address)] = value[b];
    }
}

} // namespace ese

#endif
