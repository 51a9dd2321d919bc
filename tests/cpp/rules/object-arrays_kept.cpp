// SPDX-License-Identifier: Apache-2.0
// One such object, and an array of plain ones.
struct Lane {
    int total;
    Lane() {
#pragma HLS inline
        total = 0;
    }
};
struct Term {
    int value;
};
int run() {
    Lane lane;
    Term terms[4];
    terms[0].value = lane.total;
    return terms[0].value;
}
