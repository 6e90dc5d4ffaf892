// An object that the first who asks for it makes and that lasts as long as the process. Thread-safe, and nobody waits: of two threads
// that make it at once the later throws its own away. A guarded static inside of a function would be waited for, and so for ever by a
// child of fork whose parent had another thread in it; tests/tools/test_guarded_statics.py finds those.
#pragma once

#include <atomic>

namespace manycore::base {

template <class T>
class Lasting {
 public:
  constexpr Lasting() = default;
  Lasting(const Lasting&) = delete;
  Lasting& operator=(const Lasting&) = delete;

  // `make` answers a new object; it may be called more than once.
  template <class Make>
  T& get(Make&& make) {
    T* found = object_.load(std::memory_order_acquire);
    if (found != nullptr) [[likely]]
      return *found;
    T* made = make();
    if (object_.compare_exchange_strong(found, made, std::memory_order_acq_rel)) return *made;
    delete made;
    return *found;
  }
  T& get() {
    return get([] { return new T(); });
  }

 private:
  std::atomic<T*> object_{nullptr};
};

}  // namespace manycore::base
