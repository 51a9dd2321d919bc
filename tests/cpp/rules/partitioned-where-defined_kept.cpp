// Arrays that are stored as pragmas say where they are defined, and a member of a local.
struct Lanes {
    int total[4];
};
struct Memories {
    int words[64];
    Memories() {
#pragma HLS bind_storage variable = words type = ram_2p impl = lutram
        words[0] = 0;
    }
};
int run(int x) {
    static int memory[4][64];
#pragma HLS array_partition variable = memory complete dim = 1
#pragma HLS bind_storage variable = memory type = ram_2p impl = lutram
    Lanes lanes = {{x}};
#pragma HLS array_partition variable = lanes.total complete dim = 1
    return memory[0][x & 63] + lanes.total[1];
}
