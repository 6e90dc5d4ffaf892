#include "sync/order.h"

#include <algorithm>

namespace manycore::sync {
namespace {

// A lock as a node of its own, apart from those of places.
constexpr uint64_t kInstance = uint64_t{1} << 63;

uint64_t node_of(const Held& lock, const Held& other) {
  return lock.place == other.place ? lock.instance | kInstance : lock.place;
}

// Could the runs that made these edges meet? Not where one thread made them all, nor where they had a lock around them in common.
bool may_meet(const std::vector<const OrderEdge*>& path) {
  bool several = false;
  for (const OrderEdge* edge : path) several = several || edge->thread == 0 || edge->thread != path.front()->thread;
  if (!several) return false;
  for (size_t i = 0; i < path.size(); ++i) {
    for (size_t j = i + 1; j < path.size(); ++j) {
      for (const uint64_t lock : path[i]->around) {
        if (std::find(path[j]->around.begin(), path[j]->around.end(), lock) != path[j]->around.end()) return false;
      }
    }
  }
  return true;
}

}  // namespace

bool LockOrder::add(const Thread& thread, Held held, Held taken, const std::function<int64_t()>& where) {
  const uint64_t from = node_of(held, taken), to = node_of(taken, held);
  const auto [place, is_new] = edges_[from].try_emplace(to);
  OrderEdge& edge = place->second;
  std::vector<uint64_t> around;
  for (const Held& other : thread.order) {
    if (other.instance != held.instance) around.push_back(other.instance);
  }
  if (is_new) {
    edge = {from, to, held, taken, thread.serial, where(), std::move(around)};
    return true;
  }
  const uint64_t thread_before = edge.thread;
  const size_t around_before = edge.around.size();
  if (edge.thread != thread.serial) edge.thread = 0;
  std::erase_if(edge.around, [&](uint64_t lock) { return std::find(around.begin(), around.end(), lock) == around.end(); });
  return edge.thread != thread_before || edge.around.size() != around_before;
}

std::vector<OrderEdge> LockOrder::take(const Thread& thread, Held taken, const std::function<int64_t()>& where) {
  uint64_t all = 0;
  for (const Held& held : thread.order) all = all * 31 + held.instance;
  for (const Held& held : thread.order) {
    if (held.instance == taken.instance) continue;
    const uint64_t from = node_of(held, taken), to = node_of(taken, held);
    Known& known = known_[((from * 0x9e3779b97f4a7c15U) ^ (to * 0xc2b2ae3d27d4eb4fU)) >> 56 & (kKnown - 1)];
    if (known.from == from && known.to == to && known.thread == thread.serial && known.held == all) continue;
    known = {from, to, thread.serial, all};
    if (!add(thread, held, taken, where)) continue;
    std::vector<OrderEdge> circle = circle_through(from, to);
    if (!circle.empty()) return circle;
  }
  return {};
}

bool LockOrder::extend(uint64_t at, uint64_t goal, std::vector<const OrderEdge*>& path,
                       std::unordered_map<uint64_t, bool>& seen) {
  if (at == goal) return may_meet(path);
  seen[at] = true;
  const auto out = edges_.find(at);
  if (out == edges_.end()) return false;
  for (const auto& [to, edge] : out->second) {
    if (to != goal && seen.count(to) > 0) continue;
    path.push_back(&edge);
    if (extend(to, goal, path, seen)) return true;
    path.pop_back();
  }
  return false;
}

std::vector<OrderEdge> LockOrder::circle_through(uint64_t from, uint64_t to) {
  std::vector<const OrderEdge*> path{&edges_[from][to]};
  std::unordered_map<uint64_t, bool> seen;
  if (!extend(to, from, path, seen)) return {};
  std::vector<OrderEdge> circle;
  for (const OrderEdge* edge : path) circle.push_back(*edge);
  return circle;
}

void LockOrder::forget(uint64_t instance) {
  const uint64_t node = instance | kInstance;
  const auto own = edges_.find(node);
  if (own != edges_.end()) edges_.erase(own);
  for (auto& [from, out] : edges_) {
    if ((from & kInstance) != 0) out.erase(node);
  }
}

void LockOrder::clear() {
  edges_.clear();
  for (Known& known : known_) known = {};
}

}  // namespace manycore::sync
