// SPDX-License-Identifier: Apache-2.0
// Functions that are handed what they read; an array whose size is a product is no pointer.
template <int Rows> struct Reader {
    int read[2 * Rows];
    void take(const int &word, int index) { read[index] = word; }
};
