// SPDX-License-Identifier: Apache-2.0
// A class that holds a reference, and one that holds a pointer.
struct Reader {
    const int &word;
};
struct Cursor {
    int *at;
};
