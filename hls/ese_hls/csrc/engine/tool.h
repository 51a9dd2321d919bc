// SPDX-License-Identifier: Apache-2.0
// Everything that depends on the tool that compiles these sources: Vitis HLS, PandA Bambu or g++.
#ifndef ESE_TOOL_H
#define ESE_TOOL_H

#include <ap_int.h>
#include <cstdint>
#include <hls_stream.h>
#include <type_traits>

#if defined(ESE_LATENCY_TEST) // the path of tests/hls/latency/delayed.h
#include ESE_LATENCY_TEST
#endif

#define ESE_PRAGMA(text) _Pragma(#text)

#if defined(__BAMBU__)
// Bambu pipelines functions instead of loops and ignores memory directives. Pragmas that it would refuse are left out.
#define ESE_PIPELINE
#define ESE_UNROLL
#define ESE_INLINE
#define ESE_PARTITION(array, dimension)
#define ESE_LUTRAM(array)
#define ESE_BRAM(array)
#define ESE_DISAGGREGATE(object)
#define ESE_READ_AFTER_WRITE(array, iterations)
#define ESE_SHARED
#else
#if defined(ESE_LATENCY_TEST)
#define ESE_PIPELINE latency::tick();
#else
#define ESE_PIPELINE ESE_PRAGMA(HLS pipeline II = 1)
#endif
#define ESE_UNROLL ESE_PRAGMA(HLS unroll)
#define ESE_INLINE ESE_PRAGMA(HLS inline)
#define ESE_PARTITION(array, dimension) ESE_PRAGMA(HLS array_partition variable = array complete dim = dimension)
#define ESE_LUTRAM(array) ESE_PRAGMA(HLS bind_storage variable = array type = ram_2p impl = lutram)
#define ESE_BRAM(array) ESE_PRAGMA(HLS bind_storage variable = array type = ram_t2p impl = bram)
// Each member of the object becomes a memory or a register of its own.
#define ESE_DISAGGREGATE(object) ESE_PRAGMA(HLS disaggregate variable = object)
// Tells HLS that a word is read at the earliest so many iterations after it was written, which the code must ensure.
#define ESE_READ_AFTER_WRITE(array, iterations)                                                                        \
    ESE_PRAGMA(HLS dependence variable = array type = inter direction = RAW distance = iterations dependent = true)
// One instance of a function serves all calls.
#define ESE_SHARED ESE_PRAGMA(HLS inline off)
#endif

namespace ese {

#if defined(ESE_MACHINE_WORDS)
// The integers of the emulator: each is the smallest machine word of at least W bits, which is about twenty times
// faster than ap_int. No value may depend on the width of its type, so that both give the same results. The tests
// compile the engine with both.
template <int W, bool Signed> struct MachineWord {
    static_assert(W <= 64, "an integer has at most 64 bits");
    using signed_t = std::conditional_t<(W <= 16), std::conditional_t<(W <= 8), int8_t, int16_t>,
                                        std::conditional_t<(W <= 32), int32_t, int64_t>>;
    using type = std::conditional_t<Signed, signed_t, std::make_unsigned_t<signed_t>>;
};
template <int W> using int_t = typename MachineWord<W, true>::type;
template <int W> using uint_t = typename MachineWord<W, false>::type;
template <int W> using wrapping_t = uint_t<(W < 32 ? 32 : W)>; // C++ would extend a shorter one to a signed int
#else
template <int W> using int_t = ap_int<W>;
template <int W> using uint_t = ap_uint<W>;
template <int W> using wrapping_t = ap_int<W>;
#endif

// stored_t<T> is a T in a RAM for which a pragma tells HLS how many iterations lie between a write and a read of the
// same word. HLS may then let the write of one iteration take place after the reads of the next ones, up to that
// number. The latency test (tests/hls/latency) does the same with a type of its own, so that whatever HLS may choose is
// run.
#if defined(ESE_LATENCY_TEST)
template <class T> using stored_t = latency::Delayed<T>;
#else
template <class T> using stored_t = T;
#endif

// wrapping_t<W> is the type in which sums and products of int_t<W> are computed. The encoder proves that no sum of its
// images overflows, but a hostile image may make any sum overflow. ap_int then wraps, as hardware does; a signed
// machine word must not overflow in C++, so it is computed as an unsigned one, which wraps. Hardware gets nothing
// added.

} // namespace ese

#endif
