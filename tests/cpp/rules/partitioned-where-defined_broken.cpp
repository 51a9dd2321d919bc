// An array that is a member of a member, and a parameter that is partitioned by the function called.
struct Lanes {
    int total[4];
};
struct Engine {
    Lanes lanes;
    Engine() {
#pragma HLS array_partition variable = lanes.total complete dim = 1
    }
};
int first(const int x[4]) {
#pragma HLS array_partition variable = x complete dim = 1
    return x[0];
}
