// SPDX-License-Identifier: Apache-2.0
// A number, an array and a disaggregated object that last from call to call, and an object that does not.
struct Engine {
    int total;
};
int run(int x) {
    static bool started = false;
    static int memory[64];
    static Engine kept;
#pragma HLS disaggregate variable = kept
    Engine engine;
    engine.total = memory[x & 63];
    memory[x & 63] = x;
    started = true;
    return engine.total + kept.total;
}
