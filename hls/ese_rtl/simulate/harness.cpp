// SPDX-License-Identifier: Apache-2.0
// The emulated bitstream of an engine in RTL: its Verilog, compiled by Verilator, behind the C interface of
// docs/reference/packets.md. Every clock of the core is simulated, and what its ports do is checked on the way.
#include "Vese_top.h"
#include "verilated.h"
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <new>
#include <thread>

namespace {

constexpr uint64_t patience = ESE_PATIENCE; // clocks without a transfer after which the core counts as hung
constexpr unsigned reset_clocks = 16, register_clocks = 1000, clocks_at_a_time = 1024;
constexpr uint32_t most_stalls = 1023; // of 1,024 clocks, so that a packet always ends
constexpr uint32_t control_register = 0x00, start = 0x81;
constexpr uint8_t whole_word = 0xf; // TKEEP and TSTRB of a word whose four bytes all count

// Random stalls, the same for the same seed on every machine (xorshift32).
class Random {
    uint32_t state = 1;

  public:
    void seed(uint32_t value) { state = value ? value : 1; }

    bool happens(uint32_t per_1024) {
        if (per_1024 == 0)
            return false;
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        return state % 1024 < per_1024;
    }
};

// A word on a stream, and whether it waits there.
struct Beat {
    bool valid = false;
    uint32_t data = 0;
    bool last = false;
};

class Engine {
    VerilatedContext context;
    Vese_top top;
    Random random;
    uint32_t in_stalls = 0, out_stalls = 0;
    uint64_t clocks = 0;
    uint64_t quiet = 0;                             // clocks since a transfer in which we did not stall the core
    const char *fault = nullptr;                    // what the core did wrong, if anything
    const uint32_t *next = nullptr, *end = nullptr; // words of the packet that the core has not taken
    bool offered = false;                           // the first of them stands on the stream
    uint32_t *answer = nullptr;
    size_t room = 0, answered = 0;
    bool receiving = false; // the answer has not ended
    Beat waiting;           // what the core offered in the clock before, if we did not take it
    uint32_t read_data = 0;
    std::mutex use;
    std::atomic<unsigned> readers{0}; // threads that want to read a register, also while a packet runs

  public:
    Engine() : top(&context) {
        top.ap_rst_n = 0;
        top.in_r_TKEEP = top.in_r_TSTRB = whole_word;
        for (unsigned i = 0; i < reset_clocks; ++i)
            clock();
        top.ap_rst_n = 1;
        waiting = Beat();
        fault = nullptr; // before the reset, a port may hold anything
        clock();
        write_register(control_register, start);
    }

    ~Engine() { top.final(); }

    uint32_t read_register(uint32_t offset) {
        ++readers;
        std::lock_guard<std::mutex> lock(use);
        --readers;
        top.s_axi_control_ARADDR = offset;
        top.s_axi_control_ARVALID = top.s_axi_control_RREADY = 1;
        for (unsigned i = 0; i < register_clocks && top.s_axi_control_RREADY; ++i)
            clock();
        if (top.s_axi_control_RREADY)
            fault = "it did not answer the read of a register (s_axi_control)";
        top.s_axi_control_ARVALID = top.s_axi_control_RREADY = 0;
        return fault ? 0 : read_data;
    }

    size_t packet(const uint32_t *in, size_t in_words, uint32_t *out, size_t out_words) {
        if (in_words == 0)
            return 0;
        std::unique_lock<std::mutex> lock(use);
        next = in;
        end = in + in_words;
        answer = out;
        room = out_words;
        answered = 0;
        receiving = true;
        quiet = 0;
        while (!fault && (receiving || next != end)) {
            for (unsigned i = 0; i < clocks_at_a_time && !fault && (receiving || next != end); ++i)
                clock();
            if (quiet > patience)
                fault = "it took no word and gave none for longer than any of its steps lasts";
            while (readers) { // a mutex alone would not let them in
                lock.unlock();
                std::this_thread::yield();
                lock.lock();
            }
        }
        next = end = nullptr;
        receiving = offered = false;
        return fault ? static_cast<size_t>(-1) : answered;
    }

    void stall(uint32_t seed, uint32_t in_per_1024, uint32_t out_per_1024) {
        random.seed(seed);
        in_stalls = in_per_1024 < most_stalls ? in_per_1024 : most_stalls;
        out_stalls = out_per_1024 < most_stalls ? out_per_1024 : most_stalls;
    }

    uint64_t simulated() const { return clocks; }

    const char *what_is_wrong() const { return fault ? fault : ""; }

  private:
    void write_register(uint32_t offset, uint32_t value) {
        top.s_axi_control_AWADDR = offset;
        top.s_axi_control_WDATA = value;
        top.s_axi_control_WSTRB = whole_word;
        top.s_axi_control_AWVALID = top.s_axi_control_WVALID = top.s_axi_control_BREADY = 1;
        for (unsigned i = 0; i < register_clocks && top.s_axi_control_BREADY; ++i)
            clock();
        if (top.s_axi_control_BREADY)
            fault = "it did not answer the write of a register (s_axi_control)";
    }

    // One clock: inputs change after a rising edge, and a transfer is what both sides show at the next one.
    void clock() {
        bool any = next != end;
        offered = any && (offered || !random.happens(in_stalls));
        bool takes = receiving && !random.happens(out_stalls);
        top.in_r_TVALID = offered;
        top.in_r_TDATA = offered ? *next : 0;
        top.in_r_TLAST = offered && next + 1 == end;
        top.out_r_TREADY = takes;
        top.ap_clk = 0;
        top.eval();

        check_output();
        bool sent = offered && top.in_r_TREADY;
        Beat beat;
        beat.valid = top.out_r_TVALID;
        beat.data = top.out_r_TDATA;
        beat.last = top.out_r_TLAST;
        bool received = beat.valid && takes;
        bool addressed = top.s_axi_control_ARVALID && top.s_axi_control_ARREADY;
        bool read = top.s_axi_control_RVALID && top.s_axi_control_RREADY;
        bool write_addressed = top.s_axi_control_AWVALID && top.s_axi_control_AWREADY;
        bool written = top.s_axi_control_WVALID && top.s_axi_control_WREADY;
        bool confirmed = top.s_axi_control_BVALID && top.s_axi_control_BREADY;
        if (read)
            read_data = top.s_axi_control_RDATA;
        top.ap_clk = 1;
        top.eval();

        ++clocks;
        if (sent) {
            ++next;
            offered = false;
        }
        if (received) {
            if (answered < room)
                answer[answered] = beat.data;
            ++answered;
            receiving = !beat.last;
        }
        waiting = received ? Beat() : beat;
        if (sent || received)
            quiet = 0;
        else if (offered == any && takes == receiving)
            ++quiet;
        top.s_axi_control_ARVALID &= !addressed;
        top.s_axi_control_RREADY &= !read;
        top.s_axi_control_AWVALID &= !write_addressed;
        top.s_axi_control_WVALID &= !written;
        top.s_axi_control_BREADY &= !confirmed;
    }

    // AXI4-Stream: what is offered stays, unchanged, until it is taken. The DMA drops bytes whose TKEEP is zero.
    void check_output() {
        if (waiting.valid && !top.out_r_TVALID)
            fault = "it took back a word that had not been taken (out_r_TVALID fell before out_r_TREADY rose)";
        else if (waiting.valid && (top.out_r_TDATA != waiting.data || bool(top.out_r_TLAST) != waiting.last))
            fault = "it changed a word that had not been taken (out_r_TDATA or out_r_TLAST)";
        else if (top.out_r_TVALID && (top.out_r_TKEEP != whole_word || top.out_r_TSTRB != whole_word))
            fault = "it sent a word without some of its bytes (out_r_TKEEP or out_r_TSTRB)";
    }
};

} // namespace

#define ESE_EXPORT __attribute__((visibility("default")))

extern "C" {

ESE_EXPORT void *ese_open(void) {
    return new (std::nothrow) Engine();
}

ESE_EXPORT void ese_close(void *engine) {
    delete static_cast<Engine *>(engine);
}

ESE_EXPORT uint32_t ese_register(void *engine, uint32_t offset) {
    return static_cast<Engine *>(engine)->read_register(offset);
}

ESE_EXPORT size_t ese_packet(void *engine, const uint32_t *in, size_t in_words, uint32_t *out, size_t out_words) {
    return static_cast<Engine *>(engine)->packet(in, in_words, out, out_words);
}

ESE_EXPORT const char *ese_fault(void *engine) {
    return static_cast<Engine *>(engine)->what_is_wrong();
}

ESE_EXPORT void ese_stall(void *engine, uint32_t seed, uint32_t in_per_1024, uint32_t out_per_1024) {
    static_cast<Engine *>(engine)->stall(seed, in_per_1024, out_per_1024);
}

ESE_EXPORT uint64_t ese_clocks(void *engine) {
    return static_cast<Engine *>(engine)->simulated();
}
}
