// One read and one write of a memory, through a reference and a function; two memories that are partitioned apart,
// which literal numbers select, also as arguments; both ports of a true dual-port memory.
static int look_up(const int table[64], int at) {
    return table[at & 63];
}
static int of(const int tables[2][64], int which, int at) {
    return tables[which][at & 63];
}
int run(const int x[64]) {
    static int memory[64];
#pragma HLS bind_storage variable = memory type = ram_2p impl = bram
    static int tables[2][64];
#pragma HLS array_partition variable = tables complete dim = 1
    static int others[2][64];
#pragma HLS array_partition variable = others complete dim = 1
    static int dual[64];
#pragma HLS bind_storage variable = dual type = ram_t2p impl = bram
    int sum = 0;
values:
    for (int i = 0; i < 64; ++i) {
#pragma HLS pipeline II = 1
        int &at = memory[x[i] < 0 ? x[i] & 63 : i];
        int read = at;
        at = read + look_up(tables[0], i) + look_up(tables[1], read);
        sum += of(others, 0, i) + of(others, 1, read);
    each:
        for (int r = 0; r < 2; ++r) {
#pragma HLS unroll
            others[r][i] = read;
        }
        sum += x[i] < 0 ? dual[i] : dual[63 - i];
    }
    return sum;
}
