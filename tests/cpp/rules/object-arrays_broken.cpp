// SPDX-License-Identifier: Apache-2.0
// An array of objects whose constructor holds a pragma.
struct Lane {
    int total;
    Lane() {
#pragma HLS inline
        total = 0;
    }
};
int run() {
    Lane lanes[4];
    return lanes[0].total;
}
