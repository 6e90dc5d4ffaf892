#include "interpret/run.h"

#include <atomic>
#include <cstring>

#include "kernel/cast_conditions.h"
#include "kernel/float_status.h"
#include "kernel/stream.h"
#include "sched/parallel.h"
#include "sched/stop.h"

namespace manycore::interpret {
namespace {

using kernel::Cost;

constexpr int64_t kBlockBytes = 8192;  // five of them fit L1 beside what the loop reads

// Elements a thread takes at a time. A chunk of 32768 additions lasts some 10 us, ten times what handing it over costs.
int64_t grain_of(Cost cost) {
  switch (cost) {
    case Cost::kMemory:
      return 32768;
    case Cost::kDivision:
      return 16384;
    case Cost::kTranscendental:
      return 4096;
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
    case 1:
      return &move_bytes<1>;
    case 2:
      return &move_bytes<2>;
    case 4:
      return &move_bytes<4>;
    case 8:
      return &move_bytes<8>;
    default:
      return &move_bytes<16>;
  }
}

void call(kernel::LoopFn function, std::byte* from, int64_t from_step, std::byte* to, int64_t to_step, int64_t n) {
  char* args[2] = {reinterpret_cast<char*>(from), reinterpret_cast<char*>(to)};
  const int64_t steps[2] = {from_step, to_step};
  function(args, &n, steps, nullptr);
}

enum class Path : uint8_t { kDirect, kBuffer };

struct Runner {
  const Job& job;
  Plan& plan;  // the job's; axes are exchanged where that is faster
  int count;   // operands of the loop
  Path paths[kMaxOperands] = {};
  bool buffered = false;     // some operand goes through a buffer
  bool casts_raise = false;  // casts report what they meet, also where the loop reports nothing
  bool tiled = false;
  bool streamed = false;  // results leave past the caches
  Tiling tiling{};
  int64_t block = INT64_MAX;  // longest run
  int64_t loop_steps[kMaxOperands];

  explicit Runner(Job& j) : job(j), plan(j.plan), count(j.inputs + j.outputs) {
    tiling = choose_tiling(&plan, job.inputs);
    tiled = tiling.count > 0;
    int64_t widest = 1;
    for (int k = 0; k < count; ++k) {
      const bool casts = job.array_dtypes[k] != job.loop_dtypes[k];
      const bool scattered = k < job.inputs && job.loop->cost != Cost::kMemory && plan.strides[k][0] != 0 &&
                             plan.strides[k][0] != item_size(job.loop_dtypes[k]);
      paths[k] = casts || job.unaligned[k] || scattered ? Path::kBuffer : Path::kDirect;
      buffered |= paths[k] == Path::kBuffer;
      casts_raise |= kernel::cast_may_report(k < job.inputs ? job.array_dtypes[k] : job.loop_dtypes[k],
                                             k < job.inputs ? job.loop_dtypes[k] : job.array_dtypes[k]);
      widest = std::max(widest, item_size(job.loop_dtypes[k]));
    }
    for (int k = job.inputs; k < count && !buffered; ++k) streamed |= streams(k);
    if (streamed) std::fill(paths + job.inputs, paths + count, Path::kBuffer);
    buffered |= streamed;
    if (buffered) block = (streamed ? kernel::kStreamedRun : kBlockBytes) / widest;
    for (int k = 0; k < count; ++k) {
      const int64_t step = plan.strides[k][0];
      loop_steps[k] = paths[k] == Path::kDirect ? step : step == 0 && k < job.inputs ? 0 : item_size(job.loop_dtypes[k]);
    }
  }

  // Worth writing past the caches: large, in long dense runs, and not what is read.
  bool streams(int k) const {
    if (tiled || job.masked || job.outputs > 1) return false;
    for (int input = 0; input < job.inputs; ++input) {
      if (plan.data[input] == plan.data[k]) return false;
    }
    return suits_streaming(plan, k, item_size(job.loop_dtypes[k]));
  }

  void move(int k, std::byte* array, std::byte* buffer, int64_t n, bool in) const {
    const DType from = in ? job.array_dtypes[k] : job.loop_dtypes[k], to = in ? job.loop_dtypes[k] : job.array_dtypes[k];
    const int64_t step = plan.strides[k][0], packed = item_size(job.loop_dtypes[k]);
    if (streamed && !in) return kernel::stream_copy(array, buffer, n * packed);
    const kernel::LoopFn cast = kernel::find_cast(from, to);
    if (!job.unaligned[k]) {
      return in ? call(cast, array, step, buffer, packed, n) : call(cast, buffer, packed, array, step, n);
    }
    // Unaligned: bytes first, then the cast.
    alignas(64) std::byte aligned[kBlockBytes];
    const int64_t item = item_size(job.array_dtypes[k]);
    for (int64_t begin = 0; begin < n; begin += kBlockBytes / 16) {
      const int64_t part = std::min(n - begin, kBlockBytes / 16);
      std::byte* there = array + begin * step;
      std::byte* here = buffer + begin * packed;
      if (in) {
        call(mover(item), there, step, aligned, item, part);
        call(cast, aligned, item, here, packed, part);
      } else {
        call(cast, here, packed, aligned, item, part);
        call(mover(item), aligned, item, there, step, part);
      }
    }
  }

  void run_piece(std::byte* const* data, int64_t n) const {
    if (buffered) {
      for (int64_t begin = 0; begin < n; begin += block) run_buffered(data, begin, std::min(block, n - begin));
      return;
    }
    char* args[kMaxOperands];
    for (int k = 0; k < count; ++k) args[k] = reinterpret_cast<char*>(data[k]);
    job.loop->run(args, &n, loop_steps, job.loop->data);
  }

  void run_buffered(std::byte* const* data, int64_t begin, int64_t n) const {
    alignas(64) std::byte buffers[kMaxOperands - 1][kBlockBytes];
    char* args[kMaxOperands];
    for (int k = 0; k < count; ++k) {
      std::byte* here = data[k] + begin * plan.strides[k][0];
      args[k] = reinterpret_cast<char*>(paths[k] == Path::kDirect ? here : buffers[k]);
      if (paths[k] == Path::kBuffer && k < job.inputs) move(k, here, buffers[k], loop_steps[k] == 0 ? 1 : n, true);
    }
    // What the casts in raised counts; what a loop that reports nothing raises does not.
    const bool apart = casts_raise && job.loop->errors == op::errors::none;
    const unsigned met = apart ? kernel::read_status() : 0;
    job.loop->run(args, &n, loop_steps, job.loop->data);
    if (apart) {
      kernel::clear_status();
      if (met) kernel::raise_status(met);
    }
    for (int k = job.inputs; k < count; ++k) {
      if (paths[k] == Path::kBuffer) move(k, data[k] + begin * plan.strides[k][0], buffers[k], n, false);
    }
  }

  // Runs of selected elements.
  void run_masked_piece(std::byte* const* data, int64_t n) const {
    const int mask = count;
    const int64_t step = plan.strides[mask][0];
    const auto selected = [&](int64_t i) { return data[mask][i * step] != std::byte{0}; };
    for (int64_t i = 0; i < n;) {
      while (i < n && !selected(i)) ++i;
      const int64_t begin = i;
      while (i < n && selected(i)) ++i;
      if (i == begin) break;
      std::byte* moved[kMaxOperands];
      for (int k = 0; k < count; ++k) moved[k] = data[k] + begin * plan.strides[k][0];
      run_piece(moved, i - begin);
    }
  }

  void visit(int64_t begin, int64_t end) const {
    const auto piece = [this](std::byte* const* data, int64_t n) { job.masked ? run_masked_piece(data, n) : run_piece(data, n); };
    if (tiled) return walk_tiles(plan, tiling, begin, end, piece);
    walk(plan, begin, end, INT64_MAX, piece);
    if (streamed) kernel::finish_stream();
  }

  // Elements, or tiles, [begin, end).
  unsigned run_range(int64_t begin, int64_t end) const {
    const bool all = job.loop->scalar_unit;
    const unsigned reported = casts_raise ? op::errors::all : job.loop->errors;
    if (!reported) {
      visit(begin, end);
      return 0;
    }
    all ? kernel::clear_status_all() : kernel::clear_status();
    visit(begin, end);
    return (all ? kernel::read_status_all() : kernel::read_status()) & reported;
  }
};

}  // namespace

unsigned run(Job& job) {
  if (job.plan.size == 0) return 0;
  const Runner runner(job);
  const int64_t per_unit = runner.tiled ? std::max<int64_t>(1, job.plan.size / runner.tiling.count) : 1;
  const int64_t units = runner.tiled ? runner.tiling.count : job.plan.size;
  const int64_t grain = std::max<int64_t>(1, grain_of(job.loop->cost) / per_unit);
  if (units < 2 * grain) {
    if (job.fresh) sched::obey(sched::current_stop_sign());
    return runner.run_range(0, units);
  }
  std::atomic<unsigned> status{0};
  sched::parallel_for(
      units, grain,
      [&](int64_t begin, int64_t end) {
        const unsigned met = runner.run_range(begin, end);
        if (met) status.fetch_or(met, std::memory_order_relaxed);
      },
      job.fresh ? sched::Interrupts::kStop : sched::Interrupts::kFinish);
  return status.load(std::memory_order_relaxed);
}

}  // namespace manycore::interpret
