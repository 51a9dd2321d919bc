// A dependence that is stated with its distance, by macros.
#define PRAGMA(text) _Pragma(#text)
#define DISTANCE(array, iterations) PRAGMA(HLS dependence variable = array type = inter distance = iterations true)
#define DELAY 4

void delay(const int x[64], int y[64]) {
values:
    for (int i = DELAY; i < 64; ++i) {
        DISTANCE(y, DELAY)
        y[i] = y[i - DELAY] + x[i];
    }
}
