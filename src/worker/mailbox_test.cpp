#include "worker/mailbox.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <random>
#include <set>

#include "os/clock.h"

namespace manycore::worker {
namespace {

Bytes bytes_of(const std::string& text) { return std::as_bytes(std::span(text)); }

void send(Mailbox& box, const std::string& text) {
  ASSERT_TRUE(box.reserve());
  ASSERT_TRUE(box.send(bytes_of(text), 7, {}));
}

TEST(Mailbox, MessagesComeInOrderThroughAnyNumberOfRounds) {
  Mailbox box = Mailbox::make(0);
  Mailbox::Message message;
  std::minstd_rand random(1);
  uint64_t sent = 0, taken = 0;
  while (taken < 3000) {
    const std::string text = std::to_string(sent) + std::string(random() % 5000, 'x');
    if (sent < 3000 && box.send(bytes_of(text), 7, {})) {
      ++sent;
      continue;
    }
    ASSERT_TRUE(box.take(&message));
    EXPECT_EQ(std::stoull(message.payload), taken++);
    EXPECT_EQ(message.flags, 7U);
  }
  EXPECT_FALSE(box.take(&message));
}

TEST(Mailbox, APlaceIsHeldUntilItsMessageIsTaken) {
  Mailbox box = Mailbox::make(2);
  send(box, "a");
  EXPECT_TRUE(box.reserve());
  EXPECT_FALSE(box.reserve());
  box.give_back();
  send(box, "b");
  EXPECT_FALSE(box.reserve());
  Mailbox::Message message;
  EXPECT_TRUE(box.take(&message));
  EXPECT_TRUE(box.reserve());
}

TEST(Mailbox, BlocksComeBackAndAreUsedAgain) {
  Mailbox box = Mailbox::make(0);
  const std::string large(3 << 20, 'l');
  for (int i = 0; i < 20; ++i) {
    const auto piece = box.store(large.data(), static_cast<int64_t>(large.size()));
    ASSERT_TRUE(piece);
    ASSERT_TRUE(box.send(bytes_of("head"), 0, {*piece}));
    Mailbox::Message message;
    ASSERT_TRUE(box.take(&message));
    std::string found(large.size(), ' ');
    ASSERT_TRUE(box.fetch(message.pieces.at(0), found.data()));
    EXPECT_EQ(found, large);
    box.drop(message.pieces.at(0));
  }
  EXPECT_EQ(box.counts().blocks, 1);
  EXPECT_FALSE(box.has_blocks_in_use());
}

TEST(Mailbox, ABlockOfADeadProcessIsFreeAgain) {
  Mailbox box = Mailbox::make(0);
  const std::string large(1 << 20, 'l');
  const auto piece = box.store(large.data(), static_cast<int64_t>(large.size()));
  ASSERT_TRUE(box.send({}, 0, {*piece}));
  const pid_t child = fork();
  if (child == 0) {
    Mailbox::Message message;
    box.take(&message);
    box.store(large.data(), static_cast<int64_t>(large.size()));
    _exit(0);
  }
  siginfo_t facts{};
  ASSERT_EQ(waitid(P_PID, static_cast<id_t>(child), &facts, WEXITED | WNOWAIT), 0);  // nobody has collected it
  EXPECT_EQ(box.counts().blocks, 2);
  EXPECT_FALSE(box.has_blocks_in_use());
  EXPECT_EQ(waitpid(child, nullptr, 0), child);
}

TEST(Mailbox, TheWatchedDescriptorIsReadableWhileThereAreMessages) {
  Mailbox box = Mailbox::make(0);
  send(box, "before");
  const auto readable = [&] {
    fd_set set;
    FD_ZERO(&set);
    FD_SET(box.watch(), &set);
    timeval none{};
    return select(box.watch() + 1, &set, nullptr, nullptr, &none) == 1;
  };
  EXPECT_TRUE(readable());
  Mailbox::Message message;
  box.take(&message);
  EXPECT_FALSE(readable());
  send(box, "a");
  send(box, "b");
  box.take(&message);
  EXPECT_TRUE(readable());
  box.take(&message);
  EXPECT_FALSE(readable());
}

// Writers and readers are killed wherever they are. What is sent by who lives arrives once, in order, and nobody waits for a dead process.
TEST(Mailbox, KillsAtAnyMomentHarmNobodyElse) {
  Mailbox box = Mailbox::make(0);
  const std::string large(100 << 10, 'l');
  const auto run = [&](bool writes) {
    const pid_t child = fork();
    if (child != 0) return child;
    for (Mailbox::Message message;;) {
      if (writes) {
        if (const auto piece = box.store(large.data(), static_cast<int64_t>(large.size()))) {
          if (!box.send(bytes_of("of a writer that dies"), 1, {*piece})) box.drop(*piece);
        }
      } else if (box.take(&message)) {
        for (const auto& piece : message.pieces) box.drop(piece);
      }
    }
  };
  std::minstd_rand random(7);
  for (int round = 0; round < 150; ++round) {
    const pid_t writer = run(true);
    const pid_t reader = run(false);
    usleep(static_cast<useconds_t>(random() % 2000));
    kill(writer, SIGKILL);
    usleep(static_cast<useconds_t>(random() % 500));
    kill(reader, SIGKILL);
    waitpid(writer, nullptr, 0);
    waitpid(reader, nullptr, 0);
    Mailbox::Message message;
    int64_t left = box.counts().messages;
    while (box.take(&message)) {
      --left;
      ASSERT_EQ(message.payload, "of a writer that dies");
      for (const auto& piece : message.pieces) {
        std::string found(static_cast<size_t>(piece.bytes), ' ');
        ASSERT_TRUE(box.fetch(piece, found.data()));
        ASSERT_EQ(found, large);
        box.drop(piece);
      }
    }
    ASSERT_EQ(left, 0);
    ASSERT_FALSE(box.has_blocks_in_use());
    send(box, "alive");
    ASSERT_TRUE(box.take(&message));
    ASSERT_EQ(message.payload, "alive");
  }
}

TEST(Mailbox, WhoSleepsIsWoken) {
  Mailbox box = Mailbox::make(0);
  const uint32_t seen = box.arrivals().now();
  const pid_t child = fork();
  if (child == 0) {
    usleep(20'000);
    box.send(bytes_of("wake"), 0, {});
    _exit(0);
  }
  const int64_t begin = os::now_nanoseconds();
  while (box.arrivals().now() == seen && os::now_nanoseconds() - begin < 20'000'000'000) box.arrivals().wait(seen, -1);
  Mailbox::Message message;
  EXPECT_TRUE(box.take(&message));
  waitpid(child, nullptr, 0);
}

}  // namespace
}  // namespace manycore::worker
