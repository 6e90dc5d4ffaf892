// The inner loops of elementwise operations: pure functions on strided runs of one length, single-thread, SIMD chosen once at
// run time (SSE4, AVX2, AVX-512, NEON). A loop has NumPy's inner-loop signature, so NumPy's own loops fit in the table too:
// args = inputs then outputs, dims[0] = count, steps in bytes. An output may be exactly an input (same address and step), any
// other overlap is the caller's to settle. Addresses are aligned to the element. The table is built on first use and never
// changes afterwards, except by set_loop and set_simd_level (dispatch.h), which must run before other threads compute.
#pragma once

#include <cstddef>
#include <cstdint>

#include "manycore/dtype.h"
#include "manycore/export.h"
#include "op/op.h"

namespace manycore::kernel {

using LoopFn = void (*)(char** args, const int64_t* dims, const int64_t* steps, void* data);

// How much work an element is: decides from which size on threads pay, and whether strided runs are gathered first.
enum class Cost : uint8_t { kMemory, kDivision, kTranscendental };

struct Loop {
  LoopFn run = nullptr;
  void* data = nullptr;
  uint8_t errors = 0;  // conditions (op::errors) that running it may raise in the floating point status and that are reported
  Cost cost = Cost::kMemory;
  bool scalar_unit = false;  // may also raise them in the x87 status word, as C library functions do (see float_status.h)
};

// Loops are found by the operation and the dtype of the first input; exact comparisons of int64 with uint64 have slots of
// their own.
inline constexpr int kInt64WithUInt64 = kDTypeCount;
inline constexpr int kUInt64WithInt64 = kDTypeCount + 1;
inline constexpr int kSlotCount = kDTypeCount + 2;

struct Panel;  // transpose.h

struct Table {
  Loop loops[op::kOpCount][kSlotCount];
  LoopFn casts[kDTypeCount][kDTypeCount];
  void (*stream)(std::byte* to, const std::byte* from, int64_t bytes);  // see stream.h
  void (*transposes[2])(const Panel& panel);                            // of 4 and of 8 bytes
  LoopFn selects[5];                                                    // by the binary logarithm of the element size
};

namespace detail {
MANYCORE_API extern const Table* table;  // null until the first use
MANYCORE_API const Table& build_table();
}  // namespace detail

inline const Table& table() {
  const Table* built = __atomic_load_n(&detail::table, __ATOMIC_ACQUIRE);
  return built ? *built : detail::build_table();
}

// run is null where the operation has no loop for the slot.
inline const Loop& find_loop(op::Op operation, int slot) { return table().loops[static_cast<int>(operation)][slot]; }
inline const Loop& find_loop(op::Op operation, DType dtype) { return find_loop(operation, static_cast<int>(dtype)); }

// One input, one output. Out of range, float to integer does what the hardware NumPy runs on does. Every pair exists.
inline LoopFn find_cast(DType from, DType to) { return table().casts[static_cast<int>(from)][static_cast<int>(to)]; }

// bool, x, y -> x where true, else y: bits are copied as they are.
inline LoopFn find_select(DType dtype) { return table().selects[__builtin_ctzll(static_cast<uint64_t>(item_size(dtype)))]; }

MANYCORE_API void set_loop(op::Op operation, int slot, const Loop& loop);

// Another number after each change of the table.
MANYCORE_API uint64_t table_version();

// For dispatch.h: the loops of the SIMD level now chosen take the place of all others, those of set_loop included.
void rebuild_table();

}  // namespace manycore::kernel
