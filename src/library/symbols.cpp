#include "library/symbols.h"

#include <dlfcn.h>
#include <link.h>
#include <pthread.h>

#include <atomic>
#include <chrono>
#include <mutex>
#include <thread>
#include <vector>

#include "base/lasting.h"
#include "base/options.h"
#include "library/thread_limits.h"
#include "manycore/errors.h"

namespace manycore::library {
namespace {

// How builds of OpenBLAS spell their names; the first is the one in NumPy's wheels.
struct Naming {
  const char* prefix;
  const char* cblas_suffix;
  const char* lapack_suffix;
  bool wide;
};
constexpr Naming kNamings[] = {
    {"scipy_", "64_", "_64_", true}, {"", "64_", "_64_", true}, {"scipy_", "", "_", false}, {"", "", "_", false}};

// Where nothing is loaded yet: the package scipy-openblas64's file, then the system's.
constexpr const char* kInstalled[] = {"libscipy_openblas64_.so", "libopenblas64_.so.0", "libopenblas.so.0",
                                      "libopenblas.so",          "libcblas.so.3",       "libblas.so.3"};

LinearAlgebraLibrary inspect(void* handle, const std::string& path) {
  LinearAlgebraLibrary library;
  if (!handle) return library;
  for (const Naming& naming : kNamings) {
    library.cblas_prefix = naming.prefix;
    library.cblas_suffix = naming.cblas_suffix;
    library.lapack_suffix = naming.lapack_suffix;
    library.wide = naming.wide;
    library.path = path;
    library.handle = handle;
    if (library.cblas("dgemm")) return library;
  }
  return {};
}

std::vector<std::string> loaded_libraries() {
  std::vector<std::string> paths;
  dl_iterate_phdr(
      [](dl_phdr_info* info, size_t, void* context) {
        std::string path = info->dlpi_name ? info->dlpi_name : "";
        std::string file = path.substr(path.rfind('/') + 1);
        if (file.find("openblas") != std::string::npos || file.find("blas.so") != std::string::npos)
          static_cast<std::vector<std::string>*>(context)->push_back(path);
        return 0;
      },
      &paths);
  return paths;
}

LinearAlgebraLibrary find_loaded() {
  LinearAlgebraLibrary best;
  for (const std::string& path : loaded_libraries()) {
    LinearAlgebraLibrary candidate = inspect(dlopen(path.c_str(), RTLD_LAZY | RTLD_NOLOAD), path);
    if (!candidate.handle) continue;
    // SciPy brings a copy of its own; NumPy's results come from NumPy's.
    if (path.find("/numpy.libs/") != std::string::npos) return candidate;
    if (!best.handle) best = candidate;
  }
  return best;
}

LinearAlgebraLibrary find() {
  std::string asked = base::text_option(base::Option::blas);
  if (asked == "none") return {};
  if (asked != "auto") {
    LinearAlgebraLibrary library = inspect(dlopen(asked.c_str(), RTLD_LAZY), asked);
    if (library.handle) return library;
    const char* reason = dlerror();
    throw UserError(ErrorKind::kValue, "blas: expected auto, none or a library with cblas_dgemm, got '" + asked + "'" +
                                           (reason ? std::string("; ") + reason : ""));
  }
  LinearAlgebraLibrary library = find_loaded();
  for (const char* name : kInstalled)
    if (!library.handle) library = inspect(dlopen(name, RTLD_LAZY), name);
  return library;
}

void follow_thread_option() {
  static std::atomic<int64_t> followed{0};
  const int64_t asked = base::integer_option(base::Option::threads);
  if (asked == followed.load(std::memory_order_relaxed)) return;
  followed.store(asked, std::memory_order_relaxed);
  apply_budget();
}

// Guarded calls and forks take turns. A call costs two atomic additions.
class ForkGate {
 public:
  // Registered after the library's own handlers, so that these run before them.
  void register_once() {
    if (registered_.load(std::memory_order_relaxed) || registered_.exchange(true)) return;
    pthread_atfork([] { instance().close(); }, [] { instance().open(); },
                   [] {
                     instance().calls_.store(0);  // those of threads that the child does not have
                     instance().open();
                   });
  }
  static ForkGate& instance() {
    static constinit ForkGate gate;
    gate.register_once();
    return gate;
  }
  void enter() {
    while (true) {
      calls_.fetch_add(1);
      if (!forking_.load()) return;
      calls_.fetch_sub(1);
      std::lock_guard wait(turn_);
    }
  }
  void leave() { calls_.fetch_sub(1); }

 private:
  void close() {
    turn_.lock();
    forking_.store(true);
    while (calls_.load() != 0) std::this_thread::sleep_for(std::chrono::microseconds(20));
  }
  void open() {
    forking_.store(false);
    turn_.unlock();
  }

  std::atomic<bool> registered_{false};
  std::atomic<int64_t> calls_{0};
  std::atomic<bool> forking_{false};
  std::mutex turn_;  // held while a fork goes on
};

}  // namespace

void* LinearAlgebraLibrary::cblas(const std::string& name) const {
  return handle ? dlsym(handle, (cblas_prefix + "cblas_" + name + cblas_suffix).c_str()) : nullptr;
}

void* LinearAlgebraLibrary::lapack(const std::string& name) const {
  return handle ? dlsym(handle, (cblas_prefix + name + lapack_suffix).c_str()) : nullptr;
}

const LinearAlgebraLibrary& linear_algebra_library() {
  static constinit base::Lasting<const LinearAlgebraLibrary> found;
  return found.get([] { return new LinearAlgebraLibrary(find()); });
}

LibraryCall::LibraryCall(bool guarded) : guarded_(guarded) {
  if (guarded_) ForkGate::instance().enter();
  follow_thread_option();
}

LibraryCall::~LibraryCall() {
  if (guarded_) ForkGate::instance().leave();
}

}  // namespace manycore::library
