// SPDX-License-Identifier: Apache-2.0
// One read and one write of a memory, through a reference and a function; two memories that are partitioned apart, of
// which each is read twice.
static int look_up(const int table[64], int at) {
    return table[at & 63];
}
int run(const int x[64]) {
    static int memory[64];
#pragma HLS bind_storage variable = memory type = ram_2p impl = bram
    static int tables[2][64];
#pragma HLS array_partition variable = tables complete dim = 1
    int sum = 0;
values:
    for (int i = 0; i < 64; ++i) {
#pragma HLS pipeline II = 1
        int &at = memory[x[i] < 0 ? x[i] & 63 : i];
        int read = at;
        at = read + look_up(tables[0], i) + look_up(tables[0], x[i]) + look_up(tables[1], read);
        sum += x[i] < 0 ? -read : read;
    }
    return sum;
}
