#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernel/dispatch.cpp"
#include "kernel/dispatch.h"

MANYCORE_TARGET_BEGIN

static const char* level_name() {
  switch (HWY_TARGET) {
    case HWY_SSE4:
      return "sse4";
    case HWY_AVX2:
      return "avx2";
    case HWY_AVX3:
    case HWY_AVX3_DL:
      return "avx512";
    case HWY_NEON:
      return "neon";
    default:
      return "scalar";
  }
}

MANYCORE_TARGET_END

#if HWY_ONCE
#include <cstdint>

#include "base/options.h"
#include "kernel/loops.h"

namespace manycore::kernel {
namespace {

struct Level {
  const char* name;
  int64_t target;
};

constexpr Level kLevels[] = {{"avx512", HWY_AVX3}, {"avx2", HWY_AVX2}, {"sse4", HWY_SSE4}, {"neon", HWY_NEON}};

HWY_EXPORT(level_name);

// Lower bits are better targets: disabling everything below `target` makes it the best that is left.
void choose(int64_t target) {
  hwy::DisableTargets(target == 0 ? 0 : target - 1);
  hwy::GetChosenTarget().Update(hwy::SupportedTargets());
  rebuild_table();
}

}  // namespace

const char* simd_level() { return HWY_DYNAMIC_DISPATCH(level_name)(); }

std::vector<const char*> simd_levels() {
  std::vector<const char*> names;
  const int64_t supported = hwy::SupportedTargets();
  for (const Level& level : kLevels) {
    if (HWY_TARGETS & supported & level.target) names.push_back(level.name);
  }
  names.push_back("scalar");
  return names;
}

bool set_simd_level(std::string_view name) {
  if (name == "auto") {
    choose(0);
    return true;
  }
  choose(0);
  if (name == "scalar") {
    choose(HWY_STATIC_TARGET);
    return true;
  }
  for (const Level& level : kLevels) {
    if (name != level.name) continue;
    if (!(HWY_TARGETS & hwy::SupportedTargets() & level.target)) return false;
    choose(level.target);
    return true;
  }
  return false;
}

namespace {
// The environment's choice, before the first kernel is looked up.
[[maybe_unused]] const bool chosen_at_load = set_simd_level(base::text_option(base::Option::simd));
}  // namespace

}  // namespace manycore::kernel
#endif
