// SPDX-License-Identifier: Apache-2.0
// Arrays that are stored as pragmas say where they are defined.
int run(int x) {
    static int memory[4][64];
#pragma HLS array_partition variable = memory complete dim = 1
#pragma HLS bind_storage variable = memory type = ram_2p impl = lutram
    int lanes[4] = {x};
#pragma HLS array_partition variable = lanes complete dim = 1
    return memory[0][x & 63] + lanes[1];
}
