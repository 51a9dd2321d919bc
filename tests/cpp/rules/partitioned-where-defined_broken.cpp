// SPDX-License-Identifier: Apache-2.0
// A member that is partitioned in the constructor, and a parameter that is partitioned by the function called.
struct Lanes {
    int total[4];
    Lanes() {
#pragma HLS array_partition variable = total complete dim = 1
    }
};
int first(const int x[4]) {
#pragma HLS array_partition variable = x complete dim = 1
    return x[0];
}
