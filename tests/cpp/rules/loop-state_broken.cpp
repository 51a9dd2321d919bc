// SPDX-License-Identifier: Apache-2.0
// State of a pipelined loop in members, which a method of a template changes, and in what a reference leads to.
template <class C> struct Stage {
    int held;
    void step(int x) { held += C::weight * x; }
};
template <class C> struct Engine {
    Stage<C> stage;
    int total;
    void run(const int x[64], Stage<C> &other) {
    values:
        for (int i = 0; i < 64; ++i) {
#pragma HLS pipeline II = 1
            stage.step(x[i]);
            other.step(x[i]);
            total += x[i];
        }
    }
};
