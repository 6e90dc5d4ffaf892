#include "library/thread_limits.h"

#include <dlfcn.h>
#include <link.h>
#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <string>
#include <vector>

#include "base/lasting.h"
#include "base/options.h"
#include "os/clock.h"
#include "sched/budget.h"

namespace manycore::library {
namespace {

// How libraries spell their functions. The file's path tells whether it is worth a look.
struct Naming {
  const char* path_part;
  const char* setter;
  const char* getter;
  bool per_thread;
  bool wide;             // numbers of 64 bits
  const char* variable;  // by which a user sets the number; OMP_NUM_THREADS does for all
};
constexpr Naming kNamings[] = {
    {"blas", "scipy_openblas_set_num_threads64_", "scipy_openblas_get_num_threads64_", false, false, "OPENBLAS_NUM_THREADS"},
    {"blas", "openblas_set_num_threads64_", "openblas_get_num_threads64_", false, false, "OPENBLAS_NUM_THREADS"},
    {"blas", "scipy_openblas_set_num_threads", "scipy_openblas_get_num_threads", false, false, "OPENBLAS_NUM_THREADS"},
    {"blas", "openblas_set_num_threads", "openblas_get_num_threads", false, false, "OPENBLAS_NUM_THREADS"},
    {"libmkl_rt", "MKL_Set_Num_Threads_Local", "MKL_Get_Max_Threads", true, false, "MKL_NUM_THREADS"},
    {"libblis", "bli_thread_set_num_threads", "bli_thread_get_num_threads", true, true, "BLIS_NUM_THREADS"},
    {"libgomp", "omp_set_num_threads", "omp_get_max_threads", true, false, "OMP_NUM_THREADS"},
    {"libiomp", "omp_set_num_threads", "omp_get_max_threads", true, false, "OMP_NUM_THREADS"},
    {"libomp", "omp_set_num_threads", "omp_get_max_threads", true, false, "OMP_NUM_THREADS"},
};

constexpr int64_t kSettled = 50'000'000;  // fewer tasks for so many nanoseconds are fewer tasks

// A number of a worker's environment is its user's, or what the worker's program has left to it.
bool set_by_user(const char* variable) {
  const char* text = std::getenv(variable);
  const char* part = std::getenv("MANYCORE_SHARE");
  return text != nullptr && *text != '\0' && (part == nullptr || std::strcmp(text, part) != 0);
}

struct Library {
  void* setter = nullptr;
  void* getter = nullptr;
  bool wide = false;
  bool users = false;  // its number is the user's

  int get() const {
    return wide ? static_cast<int>(reinterpret_cast<int64_t (*)()>(getter)()) : reinterpret_cast<int (*)()>(getter)();
  }
  void set(int threads) const {
    if (wide) {
      reinterpret_cast<void (*)(int64_t)>(setter)(threads);
    } else {
      reinterpret_cast<void (*)(int)>(setter)(threads);
    }
  }
};

// One number of a library: the process's, or a thread's.
struct Number {
  int most = 0;            // what it was; 0: not looked at yet
  int applied = 0;         // the last that was set here
  std::vector<int> given;  // all since tasks began; a context of threadpoolctl may set one of them again when it ends
};

class Limits {
 public:
  static Limits& instance() {
    static constinit base::Lasting<Limits> limits;
    return limits.get();
  }

  void follow(uint64_t modules);
  void release(bool always);
  void lock() { mutex_.lock(); }
  void unlock() { mutex_.unlock(); }
  ThreadLimits counts() {
    const std::lock_guard lock(mutex_);
    look();
    int threads = 0;
    for (const auto& [library, number] : process_) threads += std::max(library.get(), number.most) - 1;
    return {static_cast<int>(process_.size() + of_threads_.size()), told_.load(), threads};
  }

 private:
  struct OfProcess {
    Library library;
    Number number;
  };
  struct Here {
    int share = 0;
    std::vector<Number> numbers;
  };

  void look();
  void add(void* handle, const Naming& naming);
  bool process_has_to_change(int wanted);
  void tell_process(int wanted);
  void tell_thread(Here& here, int wanted);
  void tell(const Library& library, Number& number, int wanted, bool may_grow);

  std::mutex mutex_;
  std::vector<OfProcess> process_;
  std::vector<Library> of_threads_;
  uint64_t loads_ = 0;                         // what the loader counts
  std::atomic<uint64_t> modules_{UINT64_MAX};  // as of the last look
  std::atomic<size_t> thread_libraries_{0};
  std::atomic<bool> untold_{false};      // there is a library that tell_process has not seen
  std::atomic<int> wanted_{0};           // by the last tell_process
  std::atomic<int64_t> fewer_since_{0};  // tasks; 0: as many
  std::atomic<int64_t> told_{0};
  static thread_local Here here_;
};

thread_local Limits::Here Limits::here_;

// When the library is loaded, which no fork interrupts.
const int registered =
    pthread_atfork([] { Limits::instance().lock(); }, [] { Limits::instance().unlock(); }, [] { Limits::instance().unlock(); });

// With the mutex.
void Limits::look() {
  struct Found {
    const uint64_t before;
    uint64_t loads;
    std::vector<std::pair<std::string, const Naming*>> files;
  } found{loads_, loads_, {}};
  dl_iterate_phdr(
      [](dl_phdr_info* info, size_t, void* context) {
        auto& found = *static_cast<Found*>(context);
        if (info->dlpi_adds == found.before) return 1;  // nothing new
        found.loads = info->dlpi_adds;
        for (const Naming& naming : kNamings) {
          if (info->dlpi_name != nullptr && std::strstr(info->dlpi_name, naming.path_part) != nullptr)
            found.files.emplace_back(info->dlpi_name, &naming);
        }
        return 0;
      },
      &found);
  loads_ = found.loads;
  for (const auto& [path, naming] : found.files) {
    if (void* handle = dlopen(path.c_str(), RTLD_LAZY | RTLD_NOLOAD)) add(handle, *naming);  // stays loaded from now on
  }
}

void Limits::add(void* handle, const Naming& naming) {
  Library library{dlsym(handle, naming.setter), dlsym(handle, naming.getter), naming.wide,
                  set_by_user("OMP_NUM_THREADS") || set_by_user(naming.variable)};
  const auto same = [&](const Library& other) { return other.setter == library.setter; };
  const bool known = std::any_of(of_threads_.begin(), of_threads_.end(), same) ||
                     std::any_of(process_.begin(), process_.end(), [&](const OfProcess& each) { return same(each.library); });
  if (library.setter == nullptr || library.getter == nullptr || known) {
    dlclose(handle);
    return;
  }
  if (naming.per_thread) {
    of_threads_.push_back(library);
    thread_libraries_.store(of_threads_.size(), std::memory_order_relaxed);
  } else {
    process_.push_back({library, {}});
    untold_.store(true, std::memory_order_relaxed);
  }
}

void Limits::tell(const Library& library, Number& number, int wanted, bool may_grow) {
  const int now = library.get();
  if (number.most == 0) {
    number.most = number.applied = now;
    number.given = {now};
  }
  // What somebody else has set is left alone.
  if (now != number.applied && std::find(number.given.begin(), number.given.end(), now) == number.given.end()) return;
  const int target = may_grow ? wanted : std::min(wanted, number.most);
  number.applied = target;
  if (std::find(number.given.begin(), number.given.end(), target) == number.given.end()) number.given.push_back(target);
  if (now == target) return;
  library.set(target);
  told_.fetch_add(1, std::memory_order_relaxed);
}

// With the mutex. 0: as no task runs, what the process may use, or where nobody has said what that is, what the library began with.
void Limits::tell_process(int wanted) {
  const bool asked = base::integer_option(base::Option::threads) > 0;
  const bool may_grow = asked || sched::budget_is_exact();
  wanted_.store(wanted, std::memory_order_relaxed);
  fewer_since_.store(0, std::memory_order_relaxed);
  untold_.store(false, std::memory_order_relaxed);
  for (auto& [library, number] : process_) {
    if (library.users && !may_grow) continue;
    const bool as_it_was = wanted == 0 && !asked && !sched::budget_is_limited();
    if (as_it_was && number.most == 0) continue;
    const int threads = as_it_was ? number.most : wanted == 0 ? sched::budget() : wanted;
    tell(library, number, threads, may_grow);
    if (wanted == 0) number.given = {number.applied};
  }
}

void Limits::tell_thread(Here& here, int wanted) {
  here.numbers.resize(of_threads_.size());
  for (size_t i = 0; i < of_threads_.size(); ++i) {
    const Library& library = of_threads_[i];
    Number& number = here.numbers[i];
    if (library.users && !sched::budget_is_exact()) continue;
    // What was set here before is one number only: contexts end on the thread, and in the task, where they began.
    if (number.most != 0) number.given = {number.applied};
    tell(library, number, wanted, sched::budget_is_exact());
  }
  here.share = wanted;
}

void Limits::follow(uint64_t modules) {
  if (modules != modules_.load(std::memory_order_relaxed)) [[unlikely]] {
    const std::lock_guard lock(mutex_);
    look();
    modules_.store(modules, std::memory_order_relaxed);
  }
  const int wanted = sched::share_of_tasks();
  const bool others = process_has_to_change(wanted), here = wanted != here_.share || here_.numbers.size() != thread_libraries_;
  if (!others && !here) return;
  const std::lock_guard lock(mutex_);
  if (others) tell_process(wanted);
  if (here) tell_thread(here_, wanted);
}

bool Limits::process_has_to_change(int wanted) {
  const int before = wanted_.load(std::memory_order_relaxed);
  const int have = before == 0 ? sched::budget() : before;
  if (wanted < have || untold_.load(std::memory_order_relaxed)) return true;
  const int64_t since = fewer_since_.load(std::memory_order_relaxed);
  if (wanted == have) {
    if (since != 0) fewer_since_.store(0, std::memory_order_relaxed);
    return false;
  }
  const int64_t now = os::now_nanoseconds();
  if (since == 0) fewer_since_.store(now, std::memory_order_relaxed);
  return since != 0 && now - since > kSettled;
}

void Limits::release(bool always) {
  if (!always && wanted_.load(std::memory_order_relaxed) == 0) return;
  const std::lock_guard lock(mutex_);
  if (always) look();
  if (sched::claimed() == 0) tell_process(0);
}

}  // namespace

void follow_budget(uint64_t modules) { Limits::instance().follow(modules); }

void release_budget() { Limits::instance().release(false); }

void apply_budget() { Limits::instance().release(true); }

ThreadLimits thread_limits() { return Limits::instance().counts(); }

}  // namespace manycore::library
