// SPDX-License-Identifier: Apache-2.0
// An object that lasts from call to call.
struct Engine {
    int total;
};
int run(int x) {
    static Engine engine;
    engine.total += x;
    return engine.total;
}
