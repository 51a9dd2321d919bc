// SPDX-License-Identifier: Apache-2.0
// A loop without a label.
int sum(const int x[8]) {
    int total = 0;
    for (int i = 0; i < 8; ++i)
        total += x[i];
    return total;
}
