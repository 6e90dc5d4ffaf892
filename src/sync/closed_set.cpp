#include "sync/closed_set.h"

#include <algorithm>

namespace manycore::sync {
namespace {

// Tarjan's strongly connected components over those that are stuck.
class Components {
 public:
  Components(const std::vector<Standing>& threads, const std::vector<bool>& stuck)
      : threads_(threads), stuck_(stuck), index_(threads.size(), -1), low_(threads.size(), 0), of_(threads.size(), -1) {
    for (int i = 0; i < static_cast<int>(threads.size()); ++i) {
      if (stuck[static_cast<size_t>(i)] && index_[static_cast<size_t>(i)] < 0) visit(i);
    }
  }

  Closed closed() const {
    std::vector<std::vector<int>> members(static_cast<size_t>(count_));
    std::vector<bool> leads_out(static_cast<size_t>(count_), false);
    for (int i = 0; i < static_cast<int>(threads_.size()); ++i) {
      if (!stuck_[static_cast<size_t>(i)]) continue;
      const int own = of_[static_cast<size_t>(i)];
      members[static_cast<size_t>(own)].push_back(i);
      for_each_waker(i, [&](int waker) {
        leads_out[static_cast<size_t>(own)] = leads_out[static_cast<size_t>(own)] || of_[static_cast<size_t>(waker)] != own;
      });
    }
    Closed closed;
    for (size_t c = 0; c < members.size(); ++c) {
      if (leads_out[c]) {
        closed.behind.insert(closed.behind.end(), members[c].begin(), members[c].end());
      } else {
        closed.circles.push_back(std::move(members[c]));
      }
    }
    std::sort(closed.behind.begin(), closed.behind.end());
    return closed;
  }

 private:
  template <class Each>
  void for_each_waker(int thread, Each each) const {
    const Standing& standing = threads_[static_cast<size_t>(thread)];
    for (const int waker : standing.wakers) {
      if (stuck_[static_cast<size_t>(waker)]) each(waker);
    }
    if (!standing.anyone) return;
    for (int i = 0; i < static_cast<int>(threads_.size()); ++i) {
      if (i != thread && stuck_[static_cast<size_t>(i)]) each(i);
    }
  }

  void visit(int thread) {
    const auto at = static_cast<size_t>(thread);
    index_[at] = low_[at] = next_++;
    stack_.push_back(thread);
    for_each_waker(thread, [&](int waker) {
      const auto other = static_cast<size_t>(waker);
      if (index_[other] < 0) {
        visit(waker);
        low_[at] = std::min(low_[at], low_[other]);
      } else if (of_[other] < 0) {
        low_[at] = std::min(low_[at], index_[other]);
      }
    });
    if (low_[at] != index_[at]) return;
    int member;
    do {
      member = stack_.back();
      stack_.pop_back();
      of_[static_cast<size_t>(member)] = count_;
    } while (member != thread);
    ++count_;
  }

  const std::vector<Standing>& threads_;
  const std::vector<bool>& stuck_;
  std::vector<int> index_, low_, of_;
  std::vector<int> stack_;
  int next_ = 0;
  int count_ = 0;
};

}  // namespace

Closed find_closed(const std::vector<Standing>& threads, bool others) {
  std::vector<bool> stuck(threads.size(), true);
  std::vector<std::vector<int>> wakes(threads.size());
  std::vector<int> going;
  bool any = others;
  for (int i = 0; i < static_cast<int>(threads.size()); ++i) {
    for (const int waker : threads[static_cast<size_t>(i)].wakers) wakes[static_cast<size_t>(waker)].push_back(i);
    if (!threads[static_cast<size_t>(i)].goes_on) continue;
    stuck[static_cast<size_t>(i)] = false;
    going.push_back(i);
  }
  const auto release = [&](int thread) {
    if (!stuck[static_cast<size_t>(thread)]) return;
    stuck[static_cast<size_t>(thread)] = false;
    going.push_back(thread);
  };
  any = any || !going.empty();
  if (any) {
    for (int i = 0; i < static_cast<int>(threads.size()); ++i) {
      if (threads[static_cast<size_t>(i)].anyone) release(i);
    }
  }
  while (!going.empty()) {
    const int thread = going.back();
    going.pop_back();
    for (const int waiting : wakes[static_cast<size_t>(thread)]) release(waiting);
  }
  if (std::find(stuck.begin(), stuck.end(), true) == stuck.end()) return {};
  return Components(threads, stuck).closed();
}

}  // namespace manycore::sync
