// SPDX-License-Identifier: Apache-2.0
// A factor that is the parameter of a template.
template <int Lanes> void twice(int x[64]) {
values:
    for (int i = 0; i < 64; ++i) {
#pragma HLS unroll factor = Lanes
        x[i] = 2 * x[i];
    }
}
