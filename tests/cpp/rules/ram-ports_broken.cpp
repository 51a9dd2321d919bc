// SPDX-License-Identifier: Apache-2.0
// Two reads of a memory that is written too: one function that reads it is called in both branches.
static int look_up(const int table[64], int at) {
    return table[at & 63];
}
int run(const int x[64]) {
    static int memory[64];
#pragma HLS bind_storage variable = memory type = ram_2p impl = bram
    int sum = 0;
values:
    for (int i = 0; i < 64; ++i) {
#pragma HLS pipeline II = 1
        if (x[i] < 0)
            sum -= look_up(memory, x[i]);
        else
            sum += look_up(memory, i);
        memory[i] = sum;
    }
    return sum;
}
