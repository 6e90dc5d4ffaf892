#include "kernel/loops.h"

#include <mutex>
#include <string>

#include "base/check.h"
#include "base/options.h"
#include "kernel/table.h"
#include "kernel/targets.h"

#include "hwy/highway.h"

namespace manycore::kernel {

const Table* detail::table = nullptr;
void (*detail::fill_mathematics)(Builder& builder) = nullptr;

namespace {

std::mutex building;

Table& storage() {
  static Table table;
  return table;
}

void fill_table() {
  Table& table = storage();
  table = Table{};
  Builder builder(table);
  fill_arithmetic(builder);
  fill_integers(builder);
  fill_division(builder);
  fill_parts(builder);
  fill_order(builder);
  fill_logic(builder);
  fill_complex(builder);
  fill_casts(builder);
  if (detail::fill_mathematics) detail::fill_mathematics(builder);
  fill_half(builder);
  __atomic_store_n(&detail::table, &table, __ATOMIC_RELEASE);
}

int64_t targets_up_to(std::string_view level) {
#if defined(__x86_64__)
  if (level == "sse4") return HWY_SSE4;
  if (level == "avx2") return HWY_SSE4 | HWY_AVX2;
  if (level == "avx512") return HWY_SSE4 | HWY_AVX2 | HWY_AVX3;
#endif
  if (level == "auto") return 0;
  throw UserError(ErrorKind::kValue, "simd: unknown level, expected auto, sse4, avx2 or avx512, got '" + std::string(level) + "'");
}

void apply_simd(std::string_view level) {
  const int64_t wanted = targets_up_to(level);
  hwy::SetSupportedTargetsForTest(0);
  const int64_t present = hwy::SupportedTargets();
  if (wanted != 0) hwy::SetSupportedTargetsForTest((wanted & present) ? (wanted & present) : present);
  hwy::GetChosenTarget().Update(hwy::SupportedTargets());
}

}  // namespace

const Table& detail::build_table() {
  const std::lock_guard<std::mutex> lock(building);
  if (const Table* built = __atomic_load_n(&detail::table, __ATOMIC_ACQUIRE)) return *built;
  apply_simd(base::text_option(base::Option::simd));
  fill_table();
  return *detail::table;
}

void select_simd(std::string_view level) {
  const std::lock_guard<std::mutex> lock(building);
  apply_simd(level);
  fill_table();
}

void set_loop(op::Op operation, int slot, const Loop& loop) {
  table();
  MANYCORE_CHECK(slot >= 0 && slot < kSlotCount && loop.run != nullptr);
  storage().loops[static_cast<int>(operation)][slot] = loop;
}

const char* simd_level() {
  table();
#if defined(__x86_64__)
  const int64_t best = hwy::SupportedTargets();
  if (best & HWY_AVX3) return "avx512";
  if (best & HWY_AVX2) return "avx2";
  return "sse4";
#elif defined(__aarch64__)
  return "neon";
#else
  return "scalar";
#endif
}

}  // namespace manycore::kernel
