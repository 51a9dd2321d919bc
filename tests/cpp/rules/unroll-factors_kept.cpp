// SPDX-License-Identifier: Apache-2.0
// A literal factor, and a loop that is unrolled as a whole.
void twice(int x[64]) {
blocks:
    for (int b = 0; b < 16; ++b) {
#pragma HLS unroll factor = 4
    lanes:
        for (int i = 0; i < 4; ++i) {
#pragma HLS unroll
            x[4 * b + i] = 2 * x[4 * b + i];
        }
    }
}
