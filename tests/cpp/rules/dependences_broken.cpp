// SPDX-License-Identifier: Apache-2.0
// A dependence that is denied, by a macro, and one without a distance.
#define PRAGMA(text) _Pragma(#text)
#define INDEPENDENT(array) PRAGMA(HLS dependence variable = array type = inter false)

void count(const int x[64], int bins[16]) {
#pragma HLS dependence variable = bins type = inter direction = RAW true
values:
    for (int i = 0; i < 64; ++i) {
        INDEPENDENT(bins)
        bins[x[i]] += 1;
    }
}
