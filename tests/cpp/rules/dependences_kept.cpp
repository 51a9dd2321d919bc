// SPDX-License-Identifier: Apache-2.0
// A dependence that is stated with its distance.
#define PRAGMA(text) _Pragma(#text)
#define DISTANCE(array, iterations) PRAGMA(HLS dependence variable = array type = inter distance = iterations true)

void delay(const int x[64], int y[64]) {
values:
    for (int i = 4; i < 64; ++i) {
        DISTANCE(y, 4)
        y[i] = y[i - 4] + x[i];
    }
}
