// Round trips between two processes, in one run: a bare futex ping-pong, and calls through a crew hot and after 2 ms of idleness.
// Built with -DMANYCORE_BUILD_BENCHMARKS=ON. Prints medians in microseconds.
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <vector>

#include "os/pages.h"
#include "os/process.h"
#include "worker/crew.h"
#include "worker/post.h"

using namespace manycore;
using namespace manycore::worker;

namespace {

double median(std::vector<int64_t> times) {
  std::nth_element(times.begin(), times.begin() + static_cast<ptrdiff_t>(times.size() / 2), times.end());
  return static_cast<double>(times[times.size() / 2]) / 1000;
}

void ping_pong(int rounds, useconds_t pause) {
  auto* words = static_cast<std::atomic<uint32_t>*>(
      mmap(nullptr, os::kPageBytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  std::atomic<uint32_t>& ping = words[0];
  std::atomic<uint32_t>& pong = words[32];
  const auto total = static_cast<uint32_t>(rounds);
  const auto await = [](std::atomic<uint32_t>& word, uint32_t value) {
    for (uint32_t seen; (seen = word.load()) < value;) os::futex_wait(word, seen, -1, os::FutexScope::shared);
  };
  if (fork() == 0) {
    for (uint32_t i = 1; i <= total; ++i) {
      await(ping, i);
      pong = i;
      os::futex_wake(pong, 1, os::FutexScope::shared);
    }
    _exit(0);
  }
  std::vector<int64_t> times;
  for (uint32_t i = 1; i <= total; ++i) {
    usleep(pause);
    const int64_t begin = os::now_nanoseconds();
    ping = i;
    os::futex_wake(ping, 1, os::FutexScope::shared);
    await(pong, i);
    times.push_back(os::now_nanoseconds() - begin);
  }
  wait(nullptr);
  std::printf("futex ping-pong after %5u us  %7.2f us\n", pause, median(times));
}

[[noreturn]] void work(int descriptor, int slot) {
  Post post(descriptor, slot);
  for (;;) {
    if (post.wait(-1) != Waited::ready) continue;
    Record record;
    if (post.next(&record) != RingReader::Next::record) _exit(1);
    const auto kind = static_cast<RequestKind>(record.kind);
    if (kind == RequestKind::leave) _exit(0);
    Request request;
    if (kind == RequestKind::call && post.take() && decode(record.body, &request)) {
      const uint64_t ticket = request.ticket;
      post.release();
      post.reply(ReplyKind::result, Reply{ticket, 200, 0, {}, {}});
    } else {
      post.release();
    }
  }
}

uint64_t submit(Crew& crew, const std::shared_ptr<Function>& function) {
  auto call = std::make_unique<Call>();
  call->function = function;
  call->payload.assign(100, 'x');
  return crew.submit(std::move(call));
}

void await(Crew& crew, uint64_t ticket) {
  crew.begin_lead(ticket);
  for (bool done = false; !done;) {
    crew.lead(-1, [] { return false; });
    crew.sweep();
    Finished finished;
    while (crew.collect(&finished)) done |= finished.call->ticket == ticket;
  }
  crew.end_lead();
}

}  // namespace

int main() {
  for (useconds_t pause : {0u, 2000u}) ping_pong(pause == 0 ? 20000 : 500, pause);
  const auto crew = Crew::make(1);
  const int slot = crew->prepare();
  const pid_t child = fork();
  if (child == 0) work(crew->descriptor(), slot);
  crew->joined(slot, child);
  const auto function = crew->define("");
  for (useconds_t pause : {0u, 2000u}) {
    std::vector<int64_t> times;
    for (int i = 0; i < (pause == 0 ? 20000 : 500); ++i) {
      if (pause > 0) usleep(pause);
      const int64_t begin = os::now_nanoseconds();
      await(*crew, submit(*crew, function));
      times.push_back(os::now_nanoseconds() - begin);
    }
    std::printf("call through a crew after %5u us %6.2f us\n", pause, median(times));
  }
  const int64_t begin = os::now_nanoseconds();
  constexpr int kBulk = 100000;
  uint64_t last = 0;
  for (int i = 0; i < kBulk; ++i) last = submit(*crew, function);
  crew->serve_each(false);
  await(*crew, last);
  std::printf("a call of %d at once %20.3f us\n", kBulk, static_cast<double>(os::now_nanoseconds() - begin) / kBulk / 1000);
  crew->dismiss_all();
  waitpid(child, nullptr, 0);
}
