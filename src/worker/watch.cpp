#include "worker/watch.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <atomic>
#include <mutex>
#include <thread>
#include <unordered_map>

#include "os/process.h"

namespace manycore::worker {
namespace {

struct Watched {
  std::weak_ptr<EndListener> listener;
  uint64_t token;
};

struct Watch {
  std::mutex mutex;
  int epoll = -1;
  std::unordered_map<int, Watched> watched;
};

std::atomic<Watch*> current{nullptr};
std::mutex starting;

void start_thread_without_signals(void* (*body)(void*), void* argument, bool* started) {
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  pthread_t thread;
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  pthread_attr_setstacksize(&attributes, 256 << 10);
  *started = pthread_create(&thread, &attributes, body, argument) == 0;
  pthread_attr_destroy(&attributes);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

void* watch_for_ever(void* argument) {
  pthread_setname_np(pthread_self(), "manycore-watch");
  auto* watch = static_cast<Watch*>(argument);
  for (;;) {
    epoll_event event;
    if (epoll_wait(watch->epoll, &event, 1, -1) != 1) continue;
    // Let go behind the lock: the last owner of a listener forgets what it watched.
    std::shared_ptr<EndListener> listener;
    // Held while the listener runs: that is what makes `forget` final.
    const std::lock_guard lock(watch->mutex);
    const auto found = watch->watched.find(event.data.fd);
    if (found == watch->watched.end()) continue;
    epoll_ctl(watch->epoll, EPOLL_CTL_DEL, event.data.fd, nullptr);
    const Watched ended = std::move(found->second);
    watch->watched.erase(found);
    listener = ended.listener.lock();
    if (listener != nullptr) listener->process_ended(ended.token);
  }
  return nullptr;
}

// A child of fork has the list but not the thread; what the list holds is the parent's business.
void forget_everything() {
  new (&starting) std::mutex;
  Watch* inherited = current.exchange(nullptr);
  if (inherited != nullptr) close(inherited->epoll);
}

// When the library is loaded, which no fork interrupts.
const int registered = pthread_atfork(nullptr, nullptr, forget_everything);

Watch* start() {
  const std::lock_guard lock(starting);
  if (Watch* watch = current.load()) return watch;
  auto watch = std::make_unique<Watch>();
  watch->epoll = epoll_create1(EPOLL_CLOEXEC);
  bool started = false;
  if (registered == 0 && watch->epoll >= 0) start_thread_without_signals(watch_for_ever, watch.get(), &started);
  if (!started) {
    if (watch->epoll >= 0) close(watch->epoll);
    return nullptr;
  }
  current = watch.get();
  return watch.release();  // lives as long as the process
}

void* end_with_parent(void* argument) {
  pthread_setname_np(pthread_self(), "manycore-parent");
  pollfd parent{static_cast<int>(reinterpret_cast<intptr_t>(argument)), POLLIN, 0};
  while (poll(&parent, 1, -1) < 0 && errno == EINTR) {
  }
  os::kill_descendants_of(getpid());
  kill(getpid(), SIGKILL);
  return nullptr;
}

}  // namespace

EndListener::~EndListener() = default;

bool watch(int process_descriptor, std::weak_ptr<EndListener> listener, uint64_t token) {
  Watch* watch = current.load();
  if (watch == nullptr) watch = start();
  if (watch == nullptr) return false;
  const std::lock_guard lock(watch->mutex);
  watch->watched[process_descriptor] = Watched{std::move(listener), token};
  epoll_event event{EPOLLIN, {.fd = process_descriptor}};
  if (epoll_ctl(watch->epoll, EPOLL_CTL_ADD, process_descriptor, &event) == 0) return true;
  watch->watched.erase(process_descriptor);
  return false;
}

void forget(int process_descriptor) {
  Watch* watch = current.load();
  if (watch == nullptr) return;
  const std::lock_guard lock(watch->mutex);
  if (watch->watched.erase(process_descriptor) > 0) epoll_ctl(watch->epoll, EPOLL_CTL_DEL, process_descriptor, nullptr);
}

bool end_with(int parent_descriptor) {
  bool started = false;
  start_thread_without_signals(end_with_parent, reinterpret_cast<void*>(static_cast<intptr_t>(parent_descriptor)), &started);
  return started;
}

}  // namespace manycore::worker
