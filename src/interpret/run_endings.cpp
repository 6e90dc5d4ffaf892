#include "interpret/run_endings.h"

#include <cstring>
#include <vector>

#include "kernel/float_status.h"
#include "kernel/identity.h"
#include "sched/parallel.h"

namespace manycore::interpret {
namespace {

constexpr int64_t kSlot = 16;  // bytes of a partial result

struct Node {
  int64_t first, count;
};

// The nodes of the pairwise tree that fit a block. With `leaf` the shortest run that the tree would not cut.
void list_nodes(int64_t first, int64_t count, int64_t block, DType dtype, std::vector<Node>* nodes) {
  if (count <= std::max(block, kernel::pairwise_leaf(dtype))) return nodes->push_back({first, count});
  const int64_t left = kernel::pairwise_split(count, dtype);
  list_nodes(first, left, block, dtype, nodes);
  list_nodes(first + left, count - left, block, dtype, nodes);
}

class Folder {
 public:
  Folder(const BlockProgram& program, int64_t block, Statuses* statuses, Statuses* ending_status)
      : program_(program),
        endings_(program.endings),
        split_(program.split),
        // A leaf of the tree is not cut, so a block holds one; a row with phases neither.
        block_(program.phases.empty() ? std::clamp<int64_t>(block, 128, 4096) : program.split.reduced),
        statuses_(statuses),
        ending_status_(ending_status) {}

  void run() {
    const auto interrupts = program_.fresh ? sched::Interrupts::kStop : sched::Interrupts::kFinish;
    if (!program_.phases.empty()) {
      by_rows(interrupts, [this](BlockRunner& runner, int64_t row) { run_phases(runner, row); });
    } else if (split_.inner > 1) {
      by_columns(interrupts);
    } else if (split_.outer >= 8 || split_.reduced <= 8 * block_) {
      by_rows(interrupts, [this](BlockRunner& runner, int64_t row) { fold_row(runner, row); });
    } else {
      for (int64_t row = 0; row < split_.outer; ++row) fold_long_row(row, interrupts);
    }
  }

 private:
  std::byte* result(const Ending& ending, int64_t position) const { return ending.results + position * item_size(ending.to); }

  // Sets `accumulator` to what folding starts from, which is the first element where there is no neutral one.
  static void start(const Ending& ending, std::byte* accumulator, const std::byte* first) {
    alignas(16) std::byte value[16];
    if (!kernel::identity(ending.reduction, ending.to, value))
      std::memcpy(value, first, sizeof(std::byte) * item_size(ending.to));
    std::memcpy(accumulator, value, static_cast<size_t>(item_size(ending.to)));
  }

  void note(size_t e) {
    const unsigned met = kernel::read_status();
    if (met == 0) return;
    kernel::clear_status();
    if (met & endings_[e].reported) ending_status_->add(e, met & endings_[e].reported);
  }

  static void fold(const Ending& ending, std::byte* slot, const std::byte* values, int64_t count) {
    if (ending.pairwise) return ending.pairwise(slot, values, item_size(ending.from), count);
    start(ending, slot, values);
    ending.loops->run(slot, values, item_size(ending.from), count);
  }

  // The partial results of one node, one slot an ending.
  void fold_node(BlockRunner& runner, int64_t begin, int64_t count, std::byte* slots) {
    runner.run_range(begin, count);
    kernel::clear_status();
    for (size_t e = 0; e < endings_.size(); ++e) {
      fold(endings_[e], slots + static_cast<int64_t>(e) * kSlot, runner.values(endings_[e], begin), count);
      note(e);
    }
  }

  // Joins the slots of the nodes below (first, count) as the tree does; `next` walks over them.
  std::byte* join(int64_t count, std::byte** next) {
    const auto stride = static_cast<int64_t>(endings_.size()) * kSlot;
    if (count <= std::max(block_, leaf())) return std::exchange(*next, *next + stride);
    const int64_t left = kernel::pairwise_split(count, tree_dtype());
    std::byte* a = join(left, next);
    const std::byte* b = join(count - left, next);
    for (size_t e = 0; e < endings_.size(); ++e) {
      endings_[e].join->run(a + static_cast<int64_t>(e) * kSlot, b + static_cast<int64_t>(e) * kSlot, kSlot, 1);
      note(e);
    }
    return a;
  }

  // Real and complex sums have trees of their own; a group with both is cut before it comes here (see lower).
  DType tree_dtype() const {
    for (const Ending& ending : endings_) {
      if (ending.pairwise) return ending.to;
    }
    return DType::kFloat64;
  }
  int64_t leaf() const { return kernel::pairwise_leaf(tree_dtype()); }

  void finish(size_t e, int64_t row, const std::byte* total) {
    const Ending& ending = endings_[e];
    start(ending, result(ending, row), total);
    ending.join->run(result(ending, row), total, kSlot, 1);
    note(e);
  }

  void finish_row(int64_t row, const std::byte* slots) {
    for (size_t e = 0; e < endings_.size(); ++e) finish(e, row, slots + static_cast<int64_t>(e) * kSlot);
  }

  std::byte* fold_tree(BlockRunner& runner, int64_t begin, int64_t count, std::vector<std::byte>* slots) {
    std::vector<Node> nodes;
    list_nodes(begin, count, block_, tree_dtype(), &nodes);
    const size_t stride = endings_.size() * kSlot;
    slots->resize(nodes.size() * stride);
    for (size_t i = 0; i < nodes.size(); ++i) fold_node(runner, nodes[i].first, nodes[i].count, slots->data() + i * stride);
    std::byte* next = slots->data();
    return join(count, &next);
  }

  template <class F>
  void by_rows(sched::Interrupts interrupts, const F& one_row) {
    const int64_t grain = std::max<int64_t>(1, 32768 / std::max<int64_t>(1, split_.reduced * std::max(1, program_.cost / 4)));
    sched::parallel_for(
        split_.outer, grain,
        [&](int64_t begin, int64_t end) {
          BlockRunner runner(program_, block_, statuses_);
          for (int64_t row = begin; row < end; ++row) one_row(runner, row);
        },
        interrupts);
  }

  // The scratch blocks hold the whole row, so what folds it sees it at once, and later phases find it again.
  void run_phases(BlockRunner& runner, int64_t row) {
    size_t step = 0, e = 0;
    const int64_t begin = row * split_.reduced;
    for (const Phase& phase : program_.phases) {
      runner.run_range(begin, split_.reduced, step, phase.steps_end);
      kernel::clear_status();
      for (; e < phase.endings_end; ++e) {
        const Ending& ending = endings_[e];
        alignas(16) std::byte total[kSlot];
        fold(ending, total, runner.values(ending, begin), split_.reduced);
        finish(e, row, total);
      }
      step = phase.steps_end;
    }
  }

  void fold_row(BlockRunner& runner, int64_t row) {
    thread_local std::vector<std::byte> slots;
    finish_row(row, fold_tree(runner, row * split_.reduced, split_.reduced, &slots));
  }

  void fold_long_row(int64_t row, sched::Interrupts interrupts) {
    std::vector<Node> nodes;
    list_nodes(row * split_.reduced, split_.reduced, block_, tree_dtype(), &nodes);
    const size_t stride = endings_.size() * kSlot;
    std::vector<std::byte> slots(nodes.size() * stride);
    sched::parallel_for(
        static_cast<int64_t>(nodes.size()), std::max<int64_t>(1, 32768 / block_),
        [&](int64_t begin, int64_t end) {
          BlockRunner runner(program_, block_, statuses_);
          for (int64_t i = begin; i < end; ++i) {
            const Node& node = nodes[static_cast<size_t>(i)];
            fold_node(runner, node.first, node.count, slots.data() + static_cast<size_t>(i) * stride);
          }
        },
        interrupts);
    kernel::clear_status();
    std::byte* next = slots.data();
    finish_row(row, join(split_.reduced, &next));
  }

  // Columns are independent of each other; the rows of one column are added in their order.
  void by_columns(sched::Interrupts interrupts) {
    const int64_t inner = split_.inner;
    // Whole rows where there are other pieces enough for the threads, else strips as wide as gives each thread one: memory likes
    // long runs, and each row of a strip is a call of its own.
    int64_t width = std::min(inner, block_);
    const int64_t wanted = sched::thread_count();
    if (split_.outer * ((inner + width - 1) / width) < wanted) {
      width = std::clamp<int64_t>((inner * split_.outer + wanted - 1) / wanted, std::min<int64_t>(inner, 64), width);
    }
    const int64_t across = (inner + width - 1) / width;
    const int64_t per_unit = width * split_.reduced;
    const int64_t grain = std::max<int64_t>(1, 32768 / std::max<int64_t>(1, per_unit));
    sched::parallel_for(
        split_.outer * across, grain,
        [&](int64_t begin, int64_t end) {
          BlockRunner runner(program_, block_, statuses_);
          for (int64_t unit = begin; unit < end; ++unit) {
            const int64_t column = unit % across * width;
            fold_columns(runner, unit / across, column, std::min(width, inner - column));
          }
        },
        interrupts);
  }

  void fold_columns(BlockRunner& runner, int64_t outer, int64_t column, int64_t width) {
    const int64_t inner = split_.inner;
    // Whole rows: several of them at once.
    const int64_t at_once = width == inner ? std::max<int64_t>(1, block_ / inner) : 1;
    for (int64_t row = 0; row < split_.reduced; row += at_once) {
      const int64_t rows = std::min(at_once, split_.reduced - row);
      const int64_t begin = (outer * split_.reduced + row) * inner + column;
      runner.run_range(begin, rows == 1 ? width : rows * inner);
      kernel::clear_status();
      for (size_t e = 0; e < endings_.size(); ++e) {
        const Ending& ending = endings_[e];
        const std::byte* values = runner.values(ending, begin);
        const int64_t from = item_size(ending.from), to = item_size(ending.to);
        std::byte* accumulators = result(ending, outer * inner + column);
        if (row == 0) {
          for (int64_t j = 0; j < width; ++j) start(ending, accumulators + j * to, values + j * from);
        }
        ending.loops->rows(accumulators, to, values, from, width, rows, inner * from);
        note(e);
      }
    }
  }

  const BlockProgram& program_;
  const std::vector<Ending>& endings_;
  program::Split split_;
  int64_t block_;
  Statuses* statuses_;
  Statuses* ending_status_;
};

}  // namespace

void run_endings(const BlockProgram& program, int64_t block, Statuses* statuses, Statuses* ending_status) {
  Folder(program, block, statuses, ending_status).run();
}

}  // namespace manycore::interpret
