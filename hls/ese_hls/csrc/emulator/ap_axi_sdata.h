// SPDX-License-Identifier: Apache-2.0
// A replacement for the header of this name from Vitis HLS, for g++ only: the part of an AXI4-Stream beat that the
// engine uses.
#ifndef ESE_SIM_AP_AXI_SDATA_H
#define ESE_SIM_AP_AXI_SDATA_H

#include <ap_int.h>

template <int Data, int User, int Id, int Dest> struct ap_axiu {
    static_assert(User == 0 && Id == 0 && Dest == 0, "the engine's streams carry no side channels but TLAST");
    ap_uint<Data> data;
    ap_uint<(Data + 7) / 8> keep, strb;
    ap_uint<1> last;
};

#endif
