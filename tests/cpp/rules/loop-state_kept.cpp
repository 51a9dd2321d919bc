// SPDX-License-Identifier: Apache-2.0
// State of a pipelined loop in locals; a memory and a stream outlive it.
template <class C> struct Stage {
    int held;
    void step(int x) { held += C::weight * x; }
    int now() const { return held; }
};
template <class C> struct Engine {
    int total;
    template <class Out> void run(const int x[64], const Stage<C> &before, int memory[64], Out &out) {
        Stage<C> stage = before;
        int sum = 0;
    values:
        for (int i = 0; i < 64; ++i) {
#pragma HLS pipeline II = 1
            stage.step(x[i] + before.now());
            memory[i] = stage.held;
            sum += x[i];
            out.word(sum);
        }
        total = sum;
    }
};
