#include "kernel/stream.h"

#include <algorithm>
#include <cstring>

#include "base/options.h"
#include "kernel/targets.h"
#include "os/topology.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernel/stream.cpp"
#include "hwy/cache_control.h"
#include "hwy/foreach_target.h"
#include "kernel/loops-inl.h"

HWY_BEFORE_NAMESPACE();
namespace manycore::kernel::HWY_NAMESPACE {

void stream(std::byte* to, const std::byte* from, int64_t bytes) {
  namespace hn = hwy::HWY_NAMESPACE;
  constexpr int64_t kLine = 64;
  const hn::ScalableTag<uint8_t> tag;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(tag));
  const int64_t head = std::min<int64_t>(bytes, -reinterpret_cast<intptr_t>(to) & (kLine - 1));
  std::memcpy(to, from, static_cast<size_t>(head));
  int64_t i = head;
  for (; i + kLine <= bytes; i += kLine) {
    for (int64_t part = 0; part < kLine; part += lanes) {
      const auto v = hn::LoadU(tag, reinterpret_cast<const uint8_t*>(from + i + part));
      hn::Stream(v, tag, reinterpret_cast<uint8_t*>(to + i + part));
    }
  }
  std::memcpy(to + i, from + i, static_cast<size_t>(bytes - i));
}

void streams(Builder& builder) { builder.set_stream(&stream); }

}  // namespace manycore::kernel::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace manycore::kernel {
HWY_EXPORT(streams);
void fill_stream(Builder& builder) { HWY_DYNAMIC_DISPATCH(streams)(builder); }
void finish_stream() { hwy::FlushStream(); }

int64_t streaming_bytes() {
  const int64_t asked = base::integer_option(base::Option::stream_from);
  const int64_t threshold = std::max<int64_t>(int64_t{4} << 20, os::topology().l3_bytes / 2);
  return asked > 0 ? asked : threshold;
}
}  // namespace manycore::kernel
#endif
