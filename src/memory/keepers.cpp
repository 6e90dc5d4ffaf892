#include "memory/keepers.h"

#include <mutex>
#include <utility>
#include <vector>

#include "base/at_fork.h"
#include "base/lasting.h"
#include "memory/account.h"

namespace manycore::memory {
namespace {

// Nothing else is locked while this is.
struct List {
  List() {
    base::at_fork(base::ForkStep::kKeepers, {[] { instance().mutex.lock(); }, [] { instance().mutex.unlock(); },
                                             [] {
                                               instance().keepers.clear();
                                               instance().mutex.unlock();
                                             }});
  }
  static List& instance() {
    static constinit base::Lasting<List> list;  // arrays are made after static destruction too
    return list.get([] { return new List(); });
  }
  std::mutex mutex;
  std::vector<std::weak_ptr<Keeper>> keepers;
};

}  // namespace

void add_keeper(std::weak_ptr<Keeper> keeper) {
  List& list = List::instance();
  const std::lock_guard lock(list.mutex);
  std::erase_if(list.keepers, [](const std::weak_ptr<Keeper>& each) { return each.expired(); });
  list.keepers.push_back(std::move(keeper));
}

bool keepers_make_room(int64_t charge) {
  Account& account = Account::arrays();
  if (charge > account.limit()) return false;
  std::vector<std::weak_ptr<Keeper>> keepers;
  {
    List& list = List::instance();
    const std::lock_guard lock(list.mutex);
    keepers = list.keepers;
  }
  int64_t given = 0;
  for (const std::weak_ptr<Keeper>& each : keepers) {
    const int64_t missing = account.held() + charge - account.limit();
    if (missing <= 0) return true;
    if (const std::shared_ptr<Keeper> keeper = each.lock()) given += keeper->give_back(missing);
  }
  return given > 0;
}

}  // namespace manycore::memory
