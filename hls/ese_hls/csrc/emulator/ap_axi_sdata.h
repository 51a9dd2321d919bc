// The AXI4-Stream beat of Vitis HLS's header of this name, as far as the engine uses it; for g++ alone.
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
