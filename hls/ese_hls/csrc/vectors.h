// The vector RAMs: one copy for two PEs, which read it through its two ports; or both ports write, to all copies.
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

} // namespace ese

#endif
