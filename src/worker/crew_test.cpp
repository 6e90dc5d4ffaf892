#include "worker/crew.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <map>
#include <random>
#include <string>
#include <thread>

#include "os/process.h"
#include "worker/post.h"

namespace manycore::worker {
namespace {

// What a child does with a payload: "echo...", "sleep MILLISECONDS", "die WHEN" with WHEN one of before, after.
[[noreturn]] void work(int descriptor, int slot, int parent) {
  alarm(60);
#ifndef __SANITIZE_THREAD__  // which allows no threads in a child of a program with threads
  if (!end_with(parent)) _exit(3);
#endif
  Post post(descriptor, slot);
  post.reply(ReplyKind::ready, {});
  for (;;) {
    if (post.wait(-1) != Waited::ready) continue;
    Record record;
    if (post.next(&record) != RingReader::Next::record) _exit(4);
    if (static_cast<RequestKind>(record.kind) == RequestKind::leave) _exit(0);
    if (static_cast<RequestKind>(record.kind) != RequestKind::call || !post.take()) {
      post.release();
      continue;
    }
    Request request;
    if (!decode(record.body, &request)) _exit(5);
    const std::string payload(reinterpret_cast<const char*>(request.payload.data()), request.payload.size());
    if (payload == "die taken") kill(getpid(), SIGKILL);
    post.release();
    if (payload == "die released") kill(getpid(), SIGKILL);
    if (payload == "exit") _exit(7);
    while (payload == "until told" && post.stop_word() != request.ticket) usleep(100);
    if (payload.starts_with("sleep ")) usleep(static_cast<useconds_t>(1000 * atoi(payload.c_str() + 6)));
    const int64_t begin = os::now_nanoseconds();
    const std::string answer = std::to_string(getpid()) + " " + payload;
    Reply reply{request.ticket, static_cast<uint64_t>(os::now_nanoseconds() - begin), 0, {}, std::as_bytes(std::span(answer)),
                begin};
    while (post.reply(ReplyKind::result, reply) != Waited::ready) {
    }
    if (payload == "die replied") kill(getpid(), SIGKILL);
  }
}

class Team {
 public:
  explicit Team(int workers) : parent_(os::open_process(getpid())), crew(Crew::make(workers)), function(crew->define("f")) {
    for (int i = 0; i < workers; ++i) start();
  }
  ~Team() {
    crew->dismiss_all();
    while (crew->live_workers() > 0) step();
    close(parent_);
  }

  void start() {
    const int slot = crew->prepare();
    ASSERT_GE(slot, 0);
    const pid_t child = fork();
    if (child == 0) work(crew->descriptor(), slot, parent_);
    crew->joined(slot, child);
    children.push_back(child);
    alive.push_back(child);
  }

  uint64_t submit(const std::string& payload, int retries = 0) {
    auto call = std::make_unique<Call>();
    call->function = function;
    call->payload = payload;
    call->retries = retries;
    last = call.get();
    return crew->submit(std::move(call));
  }

  void step(bool replace = false) {
    crew->lead(10'000'000, [] { return false; });
    crew->sweep();
    Finished finished;
    while (crew->collect(&finished)) {
      const uint64_t ticket = finished.call->ticket;
      EXPECT_FALSE(results.contains(ticket)) << "a call finished twice";
      results[ticket] = std::move(finished);
    }
    Departure departure;
    while (crew->collect(&departure)) {
      int status;
      EXPECT_EQ(waitpid(static_cast<pid_t>(departure.death.process), &status, 0), departure.death.process);
      departures.push_back(departure);
      std::erase(alive, static_cast<pid_t>(departure.death.process));
      if (replace) start();
    }
  }

  void finish(uint64_t ticket, bool replace = false) {
    EXPECT_TRUE(crew->begin_lead(ticket));
    while (!results.contains(ticket)) step(replace);
    crew->end_lead();
  }
  void finish_all(bool replace = false) {
    EXPECT_TRUE(crew->begin_lead(0));
    crew->serve_each(true);
    while (crew->outstanding() > 0) step(replace);
    crew->serve_each(false);
    crew->end_lead();
  }
  std::string answer(uint64_t ticket) {
    const std::string& payload = results.at(ticket).payload;
    return payload.substr(payload.find(' ') + 1);
  }

 private:
  int parent_;

 public:
  std::shared_ptr<Crew> crew;
  std::shared_ptr<Function> function;
  Call* last = nullptr;
  std::vector<pid_t> children;  // ever started
  std::vector<pid_t> alive;
  std::map<uint64_t, Finished> results;
  std::vector<Departure> departures;
};

size_t open_descriptors() {
  size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) count += !entry.path().empty();
  return count;
}

// The watching thread may hold a crew for a moment longer than its owner.
void expect_gone(const std::weak_ptr<Crew>& crew) {
  for (int i = 0; i < 2000 && !crew.expired(); ++i) usleep(1000);
  EXPECT_TRUE(crew.expired());
}

TEST(Crew, CallsRunInOtherProcessesAndComeBack) {
  Team team(2);
  std::vector<uint64_t> tickets;
  for (int i = 0; i < 5000; ++i) tickets.push_back(team.submit("echo " + std::to_string(i)));
  team.finish_all();
  for (int i = 0; i < 5000; ++i) ASSERT_EQ(team.answer(tickets[static_cast<size_t>(i)]), "echo " + std::to_string(i));
  for (int i = 0; i < 200; ++i) {
    const int64_t submitted = os::now_nanoseconds();
    const uint64_t ticket = team.submit("one at a time");
    team.finish(ticket);
    ASSERT_NE(atoi(team.results[ticket].payload.c_str()), getpid());
    ASSERT_EQ(atoi(team.results[ticket].payload.c_str()), team.results[ticket].process);
    ASSERT_GE(team.results[ticket].began, submitted);
    ASSERT_LE(team.results[ticket].began + team.results[ticket].nanoseconds, os::now_nanoseconds());
  }
}

TEST(Crew, ADeathTakesOnlyTheCallThatRan) {
  for (const char* step : {"die taken", "die released", "exit", "die replied"}) {
    Team team(1);
    const uint64_t before = team.submit("before");
    const uint64_t fatal = team.submit(step);
    std::vector<uint64_t> behind;
    for (int i = 0; i < 20; ++i) behind.push_back(team.submit("behind"));
    team.finish_all(true);
    EXPECT_EQ(team.answer(before), "before");
    const bool answered = std::string(step) == "die replied";
    EXPECT_EQ(team.results[fatal].how, answered ? Finished::How::result : Finished::How::died) << step;
    for (uint64_t ticket : behind) EXPECT_EQ(team.answer(ticket), "behind") << step;
    ASSERT_EQ(team.departures.size(), 1u);
    const Death& death = team.departures[0].death;
    EXPECT_EQ(death.process, team.children[0]);
    EXPECT_TRUE(death.known);
    EXPECT_EQ(death.exit_code, std::string(step) == "exit" ? 7 : -SIGKILL);
    EXPECT_GT(death.peak_bytes, 1 << 20);
  }
}

TEST(Crew, RetriesRunTheCallAgainAndThenGiveUp) {
  Team team(1);
  const uint64_t fatal = team.submit("die taken", 2);
  const uint64_t good = team.submit("good");
  team.finish_all(true);
  EXPECT_EQ(team.results[fatal].how, Finished::How::died);
  EXPECT_EQ(team.answer(good), "good");
  ASSERT_EQ(team.departures.size(), 3u);
  for (size_t i = 0; i < 3; ++i) EXPECT_EQ(team.departures[i].retried, i < 2 ? 1 : 0);
}

TEST(Crew, ADeathIsNoticedWithinMilliseconds) {
  Team team(2);
  team.finish(team.submit("up"));
  const uint64_t ticket = team.submit("sleep 10000");
  while (!team.crew->is_running(team.last)) std::this_thread::yield();
  const int64_t begin = os::now_nanoseconds();
  for (pid_t child : team.children) kill(child, SIGKILL);
  team.finish(ticket);
  EXPECT_LT(os::now_nanoseconds() - begin, 1'000'000'000);  // the benchmark measures; here others may hold the cores
  EXPECT_EQ(team.results[ticket].how, Finished::How::died);
}

TEST(Crew, AQueuedCallIsWithdrawnAndARunningOneIsNot) {
  Team team(1);
  team.finish(team.submit("up"));
  team.submit("sleep 50");
  Call* running = team.last;
  while (!team.crew->is_running(running)) std::this_thread::yield();
  const uint64_t queued = team.submit("in the ring");
  EXPECT_FALSE(team.crew->is_running(team.last));
  const std::unique_ptr<Call> taken = team.crew->withdraw(team.last);
  ASSERT_NE(taken, nullptr);
  EXPECT_EQ(taken->ticket, queued);
  EXPECT_EQ(team.crew->withdraw(running), nullptr);
  team.finish_all();
  EXPECT_FALSE(team.results.contains(queued));
}

TEST(Crew, ACallThatRunsIsToldToStopAndNoOther) {
  Team team(1);
  const uint64_t first = team.submit("until told");
  Call* running = team.last;
  while (!team.crew->is_running(running)) std::this_thread::yield();
  const uint64_t second = team.submit("until told");
  Call* queued = team.last;
  EXPECT_EQ(team.crew->stop(queued), Crew::Stop::waits);
  EXPECT_EQ(team.crew->stop(running), Crew::Stop::told);
  EXPECT_TRUE(team.crew->begin_lead(first));
  while (!team.results.contains(first)) team.step();
  while (!team.crew->is_running(queued)) std::this_thread::yield();
  EXPECT_EQ(team.crew->stop(team.results.at(first).call.get()), Crew::Stop::over);
  usleep(5000);
  team.step();
  EXPECT_FALSE(team.results.contains(second)) << "it obeyed what another one was told";
  EXPECT_EQ(team.crew->stop(queued), Crew::Stop::told);
  team.crew->end_lead();
  team.finish_all();
  EXPECT_TRUE(team.departures.empty());
}

Crew::Stop end(Crew& crew, Call* call) {
  pid_t halted;
  const Crew::Stop answer = crew.end(call, &halted);
  if (halted != 0) Crew::kill_halted(halted);
  return answer;
}

TEST(Crew, ACallEndsByForceWithItsWorkerAndThoseBehindItGoElsewhere) {
  Team team(2);
  for (int i = 0; i < 50; ++i) team.finish(team.submit("short"));
  const uint64_t steady = team.submit("sleep 200");
  const Call* other = team.last;
  while (!team.crew->is_running(other)) std::this_thread::yield();
  const uint64_t ended = team.submit("sleep 60000", 3);
  Call* running = team.last;
  while (!team.crew->is_running(running)) std::this_thread::yield();
  std::vector<uint64_t> behind;
  for (int i = 0; i < 20; ++i) behind.push_back(team.submit("behind"));
  EXPECT_EQ(end(*team.crew, team.last), Crew::Stop::waits);
  EXPECT_EQ(end(*team.crew, running), Crew::Stop::told);
  team.finish_all(true);
  EXPECT_EQ(team.results[ended].how, Finished::How::ended);
  EXPECT_EQ(team.answer(steady), "sleep 200");
  for (uint64_t ticket : behind) EXPECT_EQ(team.answer(ticket), "behind");
  ASSERT_EQ(team.departures.size(), 1u);
  EXPECT_TRUE(team.departures[0].forced);
  EXPECT_EQ(end(*team.crew, team.results[ended].call.get()), Crew::Stop::over);
}

// A worker that is on to the next call lives: the death would be that one's.
TEST(Crew, AnEndInAnyMomentTakesOnlyTheCallThatItWasMeantFor) {
  Team team(2);
  int ended = 0;
  for (int round = 0; round < 150; ++round) {
    const uint64_t meant = team.submit(round % 2 != 0 ? "sleep 1" : "echo");
    Call* call = team.last;
    std::vector<uint64_t> others;
    for (int i = 0; i < 4; ++i) others.push_back(team.submit("echo"));
    for (int i = 0; i < round % 50; ++i) std::this_thread::yield();
    while (end(*team.crew, call) == Crew::Stop::waits) std::this_thread::yield();
    team.finish_all(true);
    for (uint64_t ticket : others) ASSERT_EQ(team.results[ticket].how, Finished::How::result);
    ended += team.results[meant].how == Finished::How::ended;
    ASSERT_NE(team.results[meant].how, Finished::How::died);
  }
  EXPECT_GT(ended, 0);
}

TEST(Crew, WorkBehindALongCallIsTakenBackByWhoIsIdle) {
  Team team(2);
  for (int i = 0; i < 50; ++i) team.finish(team.submit("short"));
  ASSERT_GE(team.function->nanoseconds, 0);
  const int64_t begin = os::now_nanoseconds();
  const uint64_t straggler = team.submit("sleep 2000");
  std::vector<uint64_t> shorts;
  for (int i = 0; i < 20; ++i) shorts.push_back(team.submit("short"));
  std::thread background([&] { team.crew->wait_in_background(1'000'000'000); });
  for (uint64_t ticket : shorts) team.finish(ticket);
  EXPECT_LT(os::now_nanoseconds() - begin, 1'900'000'000);
  EXPECT_FALSE(team.results.contains(straggler));
  team.finish_all();
  team.crew->wake_background();
  background.join();
}

TEST(Crew, WorkersLeaveWhenTheyHaveHadTheirCalls) {
  Team team(2);
  team.crew->limit_calls(3);
  for (int i = 0; i < 30; ++i) team.submit("few");
  team.finish_all(true);
  EXPECT_EQ(team.results.size(), 30u);
  EXPECT_GE(team.departures.size(), 8u);
  for (const Departure& departure : team.departures) {
    EXPECT_TRUE(departure.asked);
    EXPECT_EQ(departure.death.exit_code, 0);
  }
}

#ifndef __SANITIZE_THREAD__
TEST(Crew, WorkersEndWithTheirParentAndWithEverythingBelowThem) {
  int report[2];
  ASSERT_EQ(pipe(report), 0);
  const pid_t parent = fork();
  if (parent == 0) {
    const int me = os::open_process(getpid());
    const pid_t worker = fork();
    if (worker == 0) {
      const pid_t grandchild = fork();
      if (grandchild == 0) {
        for (;;) pause();
      }
      if (!end_with(me)) _exit(3);
      const pid_t both[2] = {getpid(), grandchild};
      if (write(report[1], both, sizeof both) != sizeof both) _exit(4);
      for (;;) pause();
    }
    for (;;) pause();
  }
  pid_t both[2];
  ASSERT_EQ(read(report[0], both, sizeof both), static_cast<ssize_t>(sizeof both));
  const int worker = os::open_process(both[0]);
  const int grandchild = os::open_process(both[1]);
  ASSERT_GE(worker, 0);
  ASSERT_GE(grandchild, 0);
  kill(parent, SIGKILL);
  int status;
  waitpid(parent, &status, 0);
  for (int i = 0; i < 1000 && !(os::has_ended(worker) && os::has_ended(grandchild)); ++i) usleep(5000);
  EXPECT_TRUE(os::has_ended(worker));
  EXPECT_TRUE(os::has_ended(grandchild));
  for (int descriptor : {worker, grandchild, report[0], report[1]}) close(descriptor);
}
#endif

TEST(Crew, KilledAtAnyMomentNothingIsLostAndNothingLeaks) {
  std::weak_ptr<Crew> crew;
  {
    Team warm(1);
    crew = warm.crew;
  }
  expect_gone(crew);
  const size_t before = open_descriptors();
  std::mt19937 random(5);
  {
    Team team(3);
    crew = team.crew;
    size_t submitted = 0;
    for (int round = 0; round < 60; ++round) {
      for (int i = 0; i < 50; ++i, ++submitted) team.submit("echo", 3);
      for (size_t i = random() % 2000; i > 0; --i) std::atomic_signal_fence(std::memory_order_seq_cst);
      kill(team.alive[random() % team.alive.size()], SIGKILL);
      team.finish_all(true);
    }
    EXPECT_EQ(team.results.size(), submitted);
    for (auto& [ticket, finished] : team.results) ASSERT_EQ(finished.how, Finished::How::result);
    EXPECT_GT(team.departures.size(), 20u);
  }
  expect_gone(crew);
  EXPECT_EQ(open_descriptors(), before);
}

}  // namespace
}  // namespace manycore::worker
