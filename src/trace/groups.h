// Fused groups as they ran: what was in them, how long they took, what they read and wrote, and which thread worked when. Off until
// keep_groups(true), and then for a report: measured, a group of two instructions in one piece takes 4.0 us instead of 3.7. Equal groups (the same instructions of
// the same lines) are added up; when each thread worked on which is kept in a ring a thread, the newest kSlices of them.
// Thread-safe. A ring is written by its thread alone, under a lock that only group_report() ever contends for; the ring of a
// thread that ended passes to the next new one.
#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

#include "manycore/export.h"

namespace manycore::trace {

inline constexpr size_t kSlices = 8192;  // of one thread
inline constexpr size_t kKinds = 4096;   // of groups; what comes later is added up in one without members

struct GroupMember {
  uint64_t site;     // where it was recorded: base::Hooks::line_of_site
  const char* name;  // static text
  bool operator==(const GroupMember&) const = default;
};

struct GroupBytes {
  int64_t read = 0;     // of arrays in memory, each once
  int64_t written = 0;  // results that somebody outside the group may see
  int64_t saved = 0;    // results that the operations one by one would have written besides
};

// Groups with the same members, added up.
struct GroupKind {
  std::vector<GroupMember> members;
  const char* apart = "";  // why it did not join a group before it; static text
  int64_t runs = 0, nanoseconds = 0, elements = 0;
  int threads = 0;  // that took part, in the run with most of them
  GroupBytes bytes;
};

// One thread at work on one group, from its first piece to its last.
struct Slice {
  int64_t begin = 0, end = 0;  // os::now_nanoseconds
  uint64_t run = 0;            // numbered from 1
  int kind = 0;                // index among the kinds
};

struct Lane {
  bool starts_groups = false;  // a thread of the program; else one that only helps
  std::vector<Slice> slices;   // oldest first
};

struct GroupReport {
  std::vector<GroupKind> kinds;
  std::vector<Lane> lanes;
};

namespace detail {
extern MANYCORE_API std::atomic<bool> keeps_groups;
}

inline bool keeps_groups() { return detail::keeps_groups.load(std::memory_order_relaxed); }
MANYCORE_API void keep_groups(bool on);
MANYCORE_API GroupReport group_report();
MANYCORE_API void forget_groups();

// One run of a group, on the stack of the thread that started it. It counts when finish() is reached.
class MANYCORE_API GroupRun {
 public:
  GroupRun(std::vector<GroupMember> members, const char* apart);
  GroupRun(const GroupRun&) = delete;
  GroupRun& operator=(const GroupRun&) = delete;
  void finish(int64_t elements, const GroupBytes& bytes);

 private:
  friend class Working;
  int kind_;
  uint64_t number_;
  int64_t begin_;
  std::atomic<int> threads_{0};
};

// While it lives the thread works on a group; null: nobody asked.
class MANYCORE_API Working {
 public:
  explicit Working(GroupRun* run) : run_(run) {
    if (run_) begin();
  }
  ~Working() {
    if (run_) end();
  }
  Working(const Working&) = delete;
  Working& operator=(const Working&) = delete;

 private:
  void begin();
  void end() const;
  GroupRun* run_;
  int64_t begin_ = 0;
};

}  // namespace manycore::trace
