// SPDX-License-Identifier: Apache-2.0
// Loops with labels, one in the other.
int sum(const int x[8]) {
    int total = 0;
twice:
    for (int t = 0; t < 2; ++t) {
    elements:
        for (int i = 0; i < 8; ++i)
            total += x[i];
    }
    return total;
}
