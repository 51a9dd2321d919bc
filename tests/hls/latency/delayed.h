// SPDX-License-Identifier: Apache-2.0
// A RAM as a pipelined loop of HLS may see it, for the latency test only. In a pipeline that starts an iteration each
// clock, an access in stage s of iteration i takes place in clock i + s. If a loop writes a word in stage w and reads
// words in stage r, a read therefore does not see what the last w - r iterations wrote.
#ifndef ESE_TEST_DELAYED_H
#define ESE_TEST_DELAYED_H

namespace latency {

static long now = 0;    // iteration of the flat loop
static long unseen = 0; // w - r: the iterations whose writes a read does not see yet

inline void tick() {
    ++now;
}

// A word of such a RAM. It keeps its last writes, with the iterations in which they were made.
template <class T> class Delayed {
    static constexpr int kept = 8;
    struct {
        long iteration;
        T value;
    } writes[kept] = {}; // the newest first

  public:
    operator T() const {
        int age = 0;
        while (age + 1 < kept && now - writes[age].iteration <= unseen)
            ++age;
        return writes[age].value;
    }

    Delayed &operator=(T value) {
        if (writes[0].iteration != now)
            for (int age = kept - 1; age > 0; --age)
                writes[age] = writes[age - 1];
        writes[0].iteration = now;
        writes[0].value = value;
        return *this;
    }
};

} // namespace latency

extern "C" void latency_set(int stages) {
    latency::unseen = stages;
}

#endif
