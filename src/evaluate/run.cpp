#include "evaluate/run.h"

#include <atomic>
#include <cstring>

#include "kernel/float_status.h"
#include "kernel/stream.h"
#include "os/topology.h"
#include "sched/parallel.h"

namespace manycore::evaluate {
namespace {

using kernel::Cost;

constexpr int64_t kBlockBytes = 8192;  // five of them fit L1 beside what the loop reads

// Elements a thread takes at a time. A chunk of 32768 additions lasts some 10 us, ten times what handing it over costs.
int64_t grain_of(Cost cost) {
  switch (cost) {
    case Cost::kMemory: return 32768;
    case Cost::kDivision: return 16384;
    case Cost::kTranscendental: return 4096;
  }
  return 32768;
}

// Elements without alignment, moved byte by byte.
template <int kSize>
void move_bytes(char** args, const int64_t* dims, const int64_t* steps, void*) {
  for (int64_t i = 0; i < dims[0]; ++i) std::memcpy(args[1] + i * steps[1], args[0] + i * steps[0], kSize);
}
kernel::LoopFn mover(int64_t size) {
  switch (size) {
    case 1: return &move_bytes<1>;
    case 2: return &move_bytes<2>;
    case 4: return &move_bytes<4>;
    case 8: return &move_bytes<8>;
    default: return &move_bytes<16>;
  }
}

enum class Path : uint8_t { kDirect, kBuffer };

struct Runner {
  const Job& job;
  int count;                      // operands of the loop
  Path paths[kMaxOperands] = {};
  bool buffered = false;
  int streamed = -1;              // the output that leaves through stream_copy
  int64_t block = INT64_MAX;      // longest run
  bool casts_raise = false;       // casts report what they meet, also where the loop reports nothing
  int64_t loop_steps[kMaxOperands];

  explicit Runner(const Job& j) : job(j), count(j.inputs + j.outputs) {
    int64_t widest = 1;
    for (int k = 0; k < count; ++k) {
      const bool casts = job.array_dtypes[k] != job.loop_dtypes[k];
      const bool scattered = k < job.inputs && job.loop->cost != Cost::kMemory && job.plan.strides[k][0] != 0 &&
                             job.plan.strides[k][0] != item_size(job.loop_dtypes[k]);
      paths[k] = casts || job.unaligned[k] || scattered ? Path::kBuffer : Path::kDirect;
      buffered |= paths[k] == Path::kBuffer;
      casts_raise |= casts && may_raise(job.array_dtypes[k], job.loop_dtypes[k]);
      widest = std::max(widest, item_size(job.loop_dtypes[k]));
    }
    choose_stream();
    if (buffered || streamed >= 0) block = kBlockBytes / widest;
    for (int k = 0; k < count; ++k) {
      const int64_t step = job.plan.strides[k][0];
      loop_steps[k] = paths[k] == Path::kDirect ? step : step == 0 && k < job.inputs ? 0 : item_size(job.loop_dtypes[k]);
    }
  }

  static bool may_raise(DType a, DType b) { return is_inexact(a) || is_inexact(b) ? a == DType::kFloat16 || b == DType::kFloat16 || is_inexact(a) != is_inexact(b) || item_size(a) != item_size(b) : false; }

  // A large contiguous output that no input shares and that needs no cast.
  void choose_stream() {
    const int k = job.inputs;
    if (job.outputs != 1 || job.masked || paths[k] != Path::kDirect) return;
    const int64_t item = item_size(job.loop_dtypes[k]);
    static const int64_t threshold = std::max<int64_t>(int64_t{4} << 20, os::topology().l3_bytes / 2);
    if (job.plan.size * item < threshold || job.plan.strides[k][0] != item || job.plan.shape[0] * item < kBlockBytes) return;
    for (int i = 0; i < job.inputs; ++i) {
      if (job.plan.data[i] == job.plan.data[k]) return;  // in place: the lines are in the cache already
    }
    streamed = k;
    paths[k] = Path::kBuffer;
  }

  void move(int k, std::byte* array, std::byte* buffer, int64_t n, bool in) const {
    const DType from = in ? job.array_dtypes[k] : job.loop_dtypes[k], to = in ? job.loop_dtypes[k] : job.array_dtypes[k];
    if (k == streamed) return kernel::stream_copy(array, buffer, n * item_size(to));
    const int64_t step = job.plan.strides[k][0], packed = item_size(job.loop_dtypes[k]);
    alignas(64) std::byte aligned[kBlockBytes];
    if (!job.unaligned[k]) return call(kernel::find_cast(from, to), in ? array : buffer, in ? step : packed, in ? buffer : array, in ? packed : step, n);
    // Unaligned: bytes first, then the cast.
    const int64_t item = item_size(job.array_dtypes[k]);
    for (int64_t begin = 0; begin < n; begin += kBlockBytes / 16) {
      const int64_t part = std::min(n - begin, kBlockBytes / 16);
      std::byte* there = array + begin * step;
      std::byte* here = buffer + begin * packed;
      if (in) call(mover(item), there, step, aligned, item, part);
      if (in) call(kernel::find_cast(from, to), aligned, item, here, packed, part);
      if (!in) call(kernel::find_cast(from, to), here, packed, aligned, item, part);
      if (!in) call(mover(item), aligned, item, there, step, part);
    }
  }
  static void call(kernel::LoopFn function, std::byte* from, int64_t from_step, std::byte* to, int64_t to_step, int64_t n) {
    char* args[2] = {reinterpret_cast<char*>(from), reinterpret_cast<char*>(to)};
    const int64_t steps[2] = {from_step, to_step};
    function(args, &n, steps, nullptr);
  }

  void run_piece(std::byte* const* data, int64_t n) const {
    char* args[kMaxOperands];
    for (int k = 0; k < count; ++k) args[k] = reinterpret_cast<char*>(data[k]);
    job.loop->run(args, &n, loop_steps, job.loop->data);
  }

  void run_buffered_piece(std::byte* const* data, int64_t n) const {
    alignas(64) std::byte buffers[kMaxOperands - 1][kBlockBytes];
    char* args[kMaxOperands];
    for (int k = 0; k < count; ++k) {
      args[k] = reinterpret_cast<char*>(paths[k] == Path::kDirect ? data[k] : buffers[k]);
      if (paths[k] == Path::kBuffer && k < job.inputs) move(k, data[k], buffers[k], loop_steps[k] == 0 ? 1 : n, true);
    }
    unsigned met = 0;
    const bool apart = casts_raise && job.loop->errors == op::errors::none;
    if (apart) met = take_status();
    job.loop->run(args, &n, loop_steps, job.loop->data);
    if (apart) kernel::clear_status();
    for (int k = job.inputs; k < count; ++k) {
      if (paths[k] == Path::kBuffer) move(k, data[k], buffers[k], n, false);
    }
    if (apart && met) kernel::raise_status(met);
  }
  // What the casts in raised; the loop may raise anything that nobody wants to hear of.
  static unsigned take_status() {
    const unsigned met = kernel::read_status();
    kernel::clear_status();
    return met;
  }

  void run_any_piece(std::byte* const* data, int64_t n) const {
    return buffered || streamed >= 0 ? run_buffered_piece(data, n) : run_piece(data, n);
  }

  // Runs of selected elements.
  void run_masked_piece(std::byte* const* data, int64_t n) const {
    const int mask = count;
    const int64_t step = job.plan.strides[mask][0];
    const auto selected = [&](int64_t i) { return data[mask][i * step] != std::byte{0}; };
    for (int64_t i = 0; i < n;) {
      while (i < n && !selected(i)) ++i;
      const int64_t begin = i;
      while (i < n && selected(i)) ++i;
      if (i == begin) break;
      std::byte* moved[kMaxOperands];
      for (int k = 0; k < count; ++k) moved[k] = data[k] + begin * job.plan.strides[k][0];
      run_any_piece(moved, i - begin);
    }
  }

  unsigned run_range(int64_t begin, int64_t end) const {
    const bool all = job.loop->scalar_unit;
    const unsigned reported = casts_raise ? op::errors::all : job.loop->errors;
    if (reported) all ? kernel::clear_status_all() : kernel::clear_status();
    walk(job.plan, begin, end, block, [this](std::byte* const* data, int64_t n) {
      job.masked ? run_masked_piece(data, n) : run_any_piece(data, n);
    });
    if (streamed >= 0) kernel::finish_stream();
    if (!reported) return 0;
    return (all ? kernel::read_status_all() : kernel::read_status()) & reported;
  }
};

}  // namespace

unsigned run(const Job& job) {
  const Runner runner(job);
  const int64_t grain = grain_of(job.loop->cost);
  if (job.plan.size < 2 * grain) return job.plan.size > 0 ? runner.run_range(0, job.plan.size) : 0;
  std::atomic<unsigned> status{0};
  sched::parallel_for(
      job.plan.size, grain,
      [&](int64_t begin, int64_t end) {
        const unsigned met = runner.run_range(begin, end);
        if (met) status.fetch_or(met, std::memory_order_relaxed);
      },
      job.fresh ? sched::Interrupts::kStop : sched::Interrupts::kFinish);
  return status.load(std::memory_order_relaxed);
}

}  // namespace manycore::evaluate
