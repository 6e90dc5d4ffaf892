// The list of passes: a table of contents of what happens to a recorded program before it runs.
#include <atomic>
#include <string_view>
#include <utility>

#include "base/options.h"
#include "fuse/pass.h"
#include "os/clock.h"

namespace manycore::fuse {
namespace {

struct Pass {
  const char* name;
  void (*run)(Schedule& schedule);
  bool optional;  // may be left out without changing results
};

constexpr Pass kPasses[] = {
    {"find_common", find_common, true},   {"drop_unused", drop_unused, true},  {"insert_frees", insert_frees, true},
    {"align_shapes", align_shapes, true}, {"form_groups", form_groups, false}, {"find_temporaries", find_temporaries, true},
    {"place_frees", place_frees, true},
};
constexpr int kPassCount = sizeof kPasses / sizeof kPasses[0];

std::atomic<int64_t> nanoseconds[kPassCount];
std::atomic<int64_t> runs[kPassCount];

// Names separated by commas.
bool names(std::string_view list, std::string_view name) {
  while (!list.empty()) {
    if (list.front() == ' ') {
      list.remove_prefix(1);
      continue;
    }
    const size_t comma = list.find(',');
    if (list.substr(0, comma) == name) return true;
    if (comma == std::string_view::npos) break;
    list.remove_prefix(comma + 1);
  }
  return false;
}

}  // namespace

Schedule make_schedule(Program& program) { return make_schedule(program, program::Bases(program)); }

Schedule make_schedule(Program& program, program::Bases bases) {
  Schedule schedule(program, std::move(bases));
  if (program.instructions.size() == 1) {  // nothing to find, and a planning time that shows
    form_groups(schedule);
    return schedule;
  }
  const std::string without = base::text_option(base::Option::without_passes);
  for (int i = 0; i < kPassCount; ++i) {
    if (kPasses[i].optional && names(without, kPasses[i].name)) continue;
    const int64_t begin = os::now_nanoseconds();
    kPasses[i].run(schedule);
    if (program.original == nullptr) {  // what is only looked at is no run
      nanoseconds[i].fetch_add(os::now_nanoseconds() - begin, std::memory_order_relaxed);
      runs[i].fetch_add(1, std::memory_order_relaxed);
    }
#ifndef NDEBUG
    program.verify();
#endif
  }
  return schedule;
}

std::vector<PassTime> pass_times() {
  std::vector<PassTime> times;
  for (int i = 0; i < kPassCount; ++i) times.push_back({kPasses[i].name, nanoseconds[i].load(), runs[i].load()});
  return times;
}

std::string text(const Schedule& schedule) {
  std::string result;
  for (size_t g = 0; g < schedule.groups.size(); ++g) {
    result += "  " + std::to_string(g) + ":";
    for (int member : schedule.groups[g].members) {
      const Instruction& instruction = schedule.program.instructions[static_cast<size_t>(member)];
      result += std::string(" ") + program::name_of(instruction);
    }
    if (*schedule.groups[g].apart) result += std::string("  (apart: ") + schedule.groups[g].apart + ")";
    result += "\n";
  }
  return result;
}

}  // namespace manycore::fuse
