// Running reductions: cumsum, cumprod, minimum.accumulate, ... One line after the other along the axis; where the axis is not the
// innermost in memory, whole rows are combined at once. Order per element is NumPy's either way.
#include <algorithm>
#include <cstring>

#include "evaluate/assign.h"
#include "evaluate/existing_output.h"
#include "evaluate/reduce.h"
#include "evaluate/status_scope.h"
#include "interpret/plan.h"
#include "kernel/loops.h"
#include "kernel/scan.h"
#include "sched/parallel.h"
#include "trace/counters.h"

namespace manycore::evaluate {
namespace {

using interpret::make_plan;
using interpret::Plan;
using interpret::walk;

constexpr int64_t kChunk = 4096;              // elements cast at a time
constexpr int64_t kLongPart = 1024 * kChunk;  // elements between two looks for an interrupt: some 10 ms
constexpr int64_t kGrainBytes = 256 << 10;

struct Scan {
  const kernel::ScanLoops* loops;
  kernel::LoopFn cast = nullptr;
  DType from, to;
  View input, output;
  int axis;
  bool fresh;  // the output is new memory: nobody minds when an interrupt leaves it half written
  unsigned* status;

  int64_t item() const { return item_size(to); }
  int64_t length() const { return input.shape[axis]; }
};

// Reads runs of the input as `to`.
class Reader {
 public:
  explicit Reader(const Scan& scan) : scan_(scan) {}
  const std::byte* read(const std::byte* from, int64_t n, int64_t* stride) {
    if (scan_.cast == nullptr) return from;
    if (!buffer_) buffer_ = BufferRef::adopt(Buffer::allocate(kChunk * scan_.item()));
    char* args[2] = {const_cast<char*>(reinterpret_cast<const char*>(from)), reinterpret_cast<char*>(buffer_->data())};
    const int64_t strides[2] = {*stride, scan_.item()};
    scan_.cast(args, &n, strides, nullptr);
    *stride = scan_.item();
    return buffer_->data();
  }

 private:
  const Scan& scan_;
  BufferRef buffer_;
};

void copy_elements(std::byte* to, int64_t to_stride, const std::byte* from, int64_t from_stride, int64_t n, int64_t item) {
  for (int64_t i = 0; i < n; ++i) std::memmove(to + i * to_stride, from + i * from_stride, static_cast<size_t>(item));
}

// `stops`: it is the only line, which the calling thread scans, and it may be left in the middle.
void scan_line(const Scan& scan, Reader& reader, std::byte* output, const std::byte* input, bool stops) {
  const int64_t out_stride = scan.output.strides[scan.axis];
  alignas(16) std::byte state[16];
  for (int64_t first = 0; first < scan.length();) {
    if (stops && first % kLongPart == 0) sched::stop_if_interrupted();
    const int64_t n = std::min(scan.cast != nullptr ? kChunk : kLongPart, scan.length() - first);
    int64_t stride = scan.input.strides[scan.axis];
    const std::byte* values = reader.read(input + first * stride, n, &stride);
    const int64_t head = first == 0;  // the first element is taken as it is
    if (head) {
      std::memcpy(state, values, static_cast<size_t>(scan.item()));
      std::memcpy(output, state, static_cast<size_t>(scan.item()));
    }
    scan.loops->run(state, output + (first + head) * out_stride, out_stride, values + head * stride, stride, n - head);
    first += n;
  }
}

// A stretch of at most kChunk neighbours along the row axis, for every position of the scanned axis.
void scan_rows(const Scan& scan, Reader& reader, std::byte* output, int64_t out_stride, const std::byte* input, int64_t in_stride,
               int64_t n) {
  for (int64_t i = 0; i < scan.length(); ++i) {
    int64_t stride = in_stride;
    const std::byte* values = reader.read(input + i * scan.input.strides[scan.axis], n, &stride);
    std::byte* row = output + i * scan.output.strides[scan.axis];
    if (i == 0)
      copy_elements(row, out_stride, values, stride, n, scan.item());
    else
      scan.loops->row(row, out_stride, row - scan.output.strides[scan.axis], out_stride, values, stride, n);
  }
}

void run_scan(const Scan& scan) {
  // What is left without the scanned axis: one start per line.
  View outputs = scan.output, inputs = scan.input;
  for (View* view : {&outputs, &inputs}) {
    view->shape.erase(scan.axis);
    view->strides.erase(scan.axis);
  }
  const View* views[] = {&inputs, &outputs};
  Plan plan;
  make_plan(views, 2, 1, &plan);
  const bool by_rows = plan.size > 1 && std::abs(plan.strides[1][0]) < std::abs(scan.output.strides[scan.axis]);
  const int64_t line_bytes = std::max<int64_t>(1, scan.length() * scan.item());
  const int64_t grain = std::max<int64_t>(by_rows ? 64 : 1, kGrainBytes / line_bytes);
  sched::parallel_for(
      plan.size, grain,
      [&](int64_t begin, int64_t end) {
        StatusScope scope(scan.status);
        Reader reader(scan);
        walk(plan, begin, end, by_rows ? kChunk / 4 : plan.size, [&](std::byte* const* data, int64_t n) {
          if (by_rows) return scan_rows(scan, reader, data[1], plan.strides[1][0], data[0], plan.strides[0][0], n);
          for (int64_t i = 0; i < n; ++i) {
            scan_line(scan, reader, data[1] + i * plan.strides[1][0], data[0] + i * plan.strides[0][0],
                      scan.fresh && plan.size == 1);
          }
        });
      },
      scan.fresh ? sched::Interrupts::kStop : sched::Interrupts::kFinish);
}

DType scan_dtype(Reduction reduction, DType input, const ReduceOptions& options) {
  if (options.dtype) return *options.dtype;
  if (options.output != nullptr) return promote(options.output->dtype(), input);
  const bool adds = reduction == Reduction::kSum || reduction == Reduction::kProd;
  if (!adds || is_inexact(input)) return input;
  return kind_of(input) == 'u' ? DType::kUInt64 : DType::kInt64;
}

}  // namespace

Array accumulate(Reduction reduction, const View& input, int axis, const ReduceOptions& options) {
  if (input.ndim() == 0) throw UserError(ErrorKind::kType, "cannot accumulate on a scalar");
  axis = static_cast<int>(normalize_axes(Dims{axis}, input.ndim())[0]);
  trace::NativeCall call;
  Scan scan;
  scan.from = input.dtype;
  scan.to = scan_dtype(reduction, input.dtype, options);
  scan.loops = kernel::find_scan(reduction, scan.to);
  if (scan.loops == nullptr)
    throw UserError(ErrorKind::kNotImplemented, std::string("accumulate: no native loop for ") + name_of(scan.to));
  if (scan.from != scan.to) scan.cast = kernel::find_cast(scan.from, scan.to);
  const Array* given = options.output;
  if (given != nullptr && !(given->shape() == input.shape))
    throw UserError(ErrorKind::kValue, "provided out is the wrong size for the accumulation.");
  if (given != nullptr) check_existing_output(given->described());
  const Overlap shared = given != nullptr ? overlap(given->view(), input) : Overlap::kNone;
  const bool in_place = given != nullptr && given->dtype() == scan.to &&
                        (shared == Overlap::kNone || (shared == Overlap::kSame && scan.cast == nullptr));
  const View* order_by[] = {&input};
  Array result = in_place ? *given : interpret::make_like_operands(order_by, 1, input.shape, scan.to);
  scan.input = input;
  scan.output = result.view();
  scan.axis = axis;
  scan.fresh = !in_place;
  const bool computes = reduction == Reduction::kSum || reduction == Reduction::kProd;
  scan.status = computes && is_inexact(scan.to) ? options.status : nullptr;
  if (result.size() > 0) run_scan(scan);
  call.count(input.nbytes() + (given != nullptr ? *given : result).nbytes());
  if (given == nullptr || in_place) return result;
  assign(given->view(), result.view(), Casting::kUnsafe, options.status);
  return *given;
}

}  // namespace manycore::evaluate
