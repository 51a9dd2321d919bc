// A number and an array that last from call to call, and an object that does not.
struct Engine {
    int total;
};
int run(int x) {
    static bool started = false;
    static int memory[64];
    Engine engine;
    engine.total = memory[x & 63];
    memory[x & 63] = x;
    started = true;
    return engine.total;
}
