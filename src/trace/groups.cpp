#include "trace/groups.h"

#include <algorithm>
#include <mutex>
#include <unordered_map>

#include "base/at_fork.h"
#include "base/lasting.h"
#include "os/clock.h"
#include "trace/counters.h"

namespace manycore::trace {

namespace detail {
std::atomic<bool> keeps_groups{false};
}

namespace {

struct Ring {
  std::mutex mutex;
  bool starts_groups = false;
  size_t next = 0;  // where the next slice goes once there are kSlices
  std::vector<Slice> slices;

  Slice* newest() {
    if (slices.empty()) return nullptr;
    return next > 0 ? &slices[next - 1] : &slices.back();
  }
  void add(const Slice& slice) {
    if (slices.size() < kSlices) return slices.push_back(slice);
    slices[next] = slice;
    next = (next + 1) % kSlices;
  }
};

// Leaked: threads may end after static destruction.
struct Registry {
  std::mutex mutex;
  std::vector<Ring*> all, free;
  std::vector<GroupKind> kinds;
  std::unordered_multimap<uint64_t, int> by_hash;
  uint64_t runs = 0;

  static Registry& instance() {
    static constinit base::Lasting<Registry> registry;
    return registry.get([] {
      // A child made by fork has only the forking thread: the locks must be free in it.
      base::at_fork(base::ForkStep::kGroups,
                    {[] { instance().lock_all(); }, [] { instance().unlock_all(); }, [] { instance().unlock_all(); }});
      return new Registry();
    });
  }

  void lock_all() {
    mutex.lock();
    for (Ring* ring : all) ring->mutex.lock();
  }
  void unlock_all() {
    for (Ring* ring : all) ring->mutex.unlock();
    mutex.unlock();
  }
};

struct ThreadRing {
  Ring* ring;
  ThreadRing() {
    Registry& registry = Registry::instance();
    std::lock_guard lock(registry.mutex);
    if (registry.free.empty()) {
      registry.all.push_back(new Ring());
      ring = registry.all.back();
    } else {
      ring = registry.free.back();
      registry.free.pop_back();
    }
  }
  ~ThreadRing() {
    Registry& registry = Registry::instance();
    std::lock_guard lock(registry.mutex);
    registry.free.push_back(ring);
  }
};

Ring& ring_of_this_thread() {
  thread_local ThreadRing own;
  return *own.ring;
}

uint64_t hash_of(const std::vector<GroupMember>& members, const char* apart) {
  uint64_t hash = reinterpret_cast<uintptr_t>(apart);
  for (const GroupMember& member : members)
    hash = (hash * 31 + member.site) * 0x9e3779b97f4a7c15u + reinterpret_cast<uintptr_t>(member.name);
  return hash;
}

// With the registry's lock held.
int kind_of(Registry& registry, std::vector<GroupMember> members, const char* apart) {
  const uint64_t hash = hash_of(members, apart);
  const auto [first, last] = registry.by_hash.equal_range(hash);
  for (auto found = first; found != last; ++found) {
    const GroupKind& kind = registry.kinds[static_cast<size_t>(found->second)];
    if (kind.apart == apart && kind.members == members) return found->second;
  }
  if (registry.kinds.size() > kKinds) return static_cast<int>(kKinds);
  GroupKind& fresh = registry.kinds.emplace_back();
  const int number = static_cast<int>(registry.kinds.size()) - 1;
  if (registry.kinds.size() <= kKinds) {
    fresh.members = std::move(members);
    fresh.apart = apart;
    registry.by_hash.emplace(hash, number);
  }
  return number;
}

}  // namespace

void keep_groups(bool on) { detail::keeps_groups.store(on, std::memory_order_relaxed); }

GroupRun::GroupRun(std::vector<GroupMember> members, const char* apart) {
  Ring& ring = ring_of_this_thread();
  {
    std::lock_guard lock(ring.mutex);
    ring.starts_groups = true;
  }
  Registry& registry = Registry::instance();
  std::lock_guard lock(registry.mutex);
  kind_ = kind_of(registry, std::move(members), apart);
  number_ = ++registry.runs;
  begin_ = os::now_nanoseconds();
}

void GroupRun::finish(int64_t elements, const GroupBytes& bytes) {
  const int64_t took = os::now_nanoseconds() - begin_;
  count_elsewhere(took);
  Registry& registry = Registry::instance();
  std::lock_guard lock(registry.mutex);
  if (static_cast<size_t>(kind_) >= registry.kinds.size()) return;  // forgotten meanwhile
  GroupKind& kind = registry.kinds[static_cast<size_t>(kind_)];
  kind.runs += 1;
  kind.nanoseconds += took;
  kind.elements += elements;
  kind.threads = std::max(kind.threads, threads_.load(std::memory_order_relaxed));
  kind.bytes.read += bytes.read;
  kind.bytes.written += bytes.written;
  kind.bytes.saved += bytes.saved;
}

void Working::begin() { begin_ = os::now_nanoseconds(); }

void Working::end() const {
  const int64_t now = os::now_nanoseconds();
  Ring& ring = ring_of_this_thread();
  std::lock_guard lock(ring.mutex);
  if (Slice* newest = ring.newest(); newest != nullptr && newest->run == run_->number_) {
    newest->end = now;
    return;
  }
  run_->threads_.fetch_add(1, std::memory_order_relaxed);
  ring.add({begin_, now, run_->number_, run_->kind_});
}

GroupReport group_report() {
  Registry& registry = Registry::instance();
  std::lock_guard lock(registry.mutex);
  GroupReport report;
  report.kinds = registry.kinds;
  for (Ring* ring : registry.all) {
    std::lock_guard ring_lock(ring->mutex);
    Lane& lane = report.lanes.emplace_back();
    lane.starts_groups = ring->starts_groups;
    const auto middle = ring->slices.begin() + static_cast<std::ptrdiff_t>(ring->next);
    lane.slices.assign(middle, ring->slices.end());
    lane.slices.insert(lane.slices.end(), ring->slices.begin(), middle);
  }
  return report;
}

void forget_groups() {
  Registry& registry = Registry::instance();
  std::lock_guard lock(registry.mutex);
  registry.kinds.clear();
  registry.by_hash.clear();
  for (Ring* ring : registry.all) {
    std::lock_guard ring_lock(ring->mutex);
    ring->slices.clear();
    ring->next = 0;
    ring->starts_groups = false;
  }
}

}  // namespace manycore::trace
