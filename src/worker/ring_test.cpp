#include "worker/ring.h"

#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

namespace manycore::worker {
namespace {

constexpr uint64_t kCapacity = 1024;

struct Shared {
  RingState state;
  alignas(16) std::byte bytes[kCapacity] = {};
  RingWriter writer{&state, bytes, kCapacity};
  RingReader reader{&state, bytes, kCapacity};
};

Bytes bytes_of(const std::string& text) { return std::as_bytes(std::span(text)); }
std::string text_of(Bytes bytes) { return std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()); }

TEST(Ring, RecordsOfAllLengthsComeOutAsTheyWentInAcrossTheEnd) {
  auto ring = std::make_unique<Shared>();
  std::mt19937 random(7);
  std::vector<std::string> expected;
  size_t seen = 0;
  for (int i = 0; i < 20000; ++i) {
    std::string text(random() % (RingWriter::longest_body(kCapacity) + 1), static_cast<char>('a' + i % 26));
    const std::string front = text.substr(0, text.size() / 3);
    const std::string back = text.substr(front.size());
    while (!ring->writer.write(static_cast<uint32_t>(i), {bytes_of(front), bytes_of(back)})) {
      Record record;
      ASSERT_EQ(ring->reader.next(&record), RingReader::Next::record);
      ASSERT_EQ(record.kind, seen);
      ASSERT_EQ(text_of(record.body), expected[seen]);
      ring->reader.release();
      ++seen;
    }
    expected.push_back(text);
  }
  Record record;
  for (; ring->reader.next(&record) == RingReader::Next::record; ++seen) {
    ASSERT_EQ(text_of(record.body), expected[seen]);
    ring->reader.release();
  }
  EXPECT_EQ(seen, expected.size());
}

TEST(Ring, TheLongestBodyFitsWhereverTheRingStands) {
  for (uint64_t start = 0; start < kCapacity; start += 16) {
    Shared ring;
    Record record;
    for (uint64_t at = 0; at < start; at += 16) {
      ASSERT_TRUE(ring.writer.write(1, {}));
      ASSERT_EQ(ring.reader.next(&record), RingReader::Next::record);
      ring.reader.release();
    }
    const std::string longest(RingWriter::longest_body(kCapacity), 'x');
    ASSERT_TRUE(ring.writer.write(2, {bytes_of(longest)})) << start;
    ASSERT_EQ(ring.reader.next(&record), RingReader::Next::record);
    ASSERT_EQ(text_of(record.body), longest);
  }
}

TEST(Ring, ARecordIsTakenOrWithdrawnAndNeverBoth) {
  Shared ring;
  Record record;
  const auto first = ring.writer.write(1, {});
  const auto second = ring.writer.write(2, {});
  EXPECT_TRUE(ring.writer.withdraw(*first));
  EXPECT_FALSE(ring.writer.withdraw(*first));
  ASSERT_EQ(ring.reader.next(&record), RingReader::Next::record);
  EXPECT_FALSE(ring.reader.take());
  ring.reader.release();
  ASSERT_EQ(ring.reader.next(&record), RingReader::Next::record);
  EXPECT_FALSE(ring.writer.is_taken(*second));
  EXPECT_TRUE(ring.reader.take());
  EXPECT_TRUE(ring.writer.is_taken(*second));
  EXPECT_FALSE(ring.writer.withdraw(*second));
  ring.reader.release();
  EXPECT_FALSE(ring.writer.withdraw(*second));
}

// Under ThreadSanitizer this is the proof of the orders that ring.h states.
TEST(Ring, TwoThreadsPassRecordsAndOneOfThemWithdraws) {
  auto ring = std::make_unique<Shared>();
  constexpr uint64_t kRecords = 20000;
  uint64_t ran = 0;
  uint64_t sum = 0;
  std::thread reader([&] {
    for (;;) {
      Record record;
      const RingReader::Next next = ring->reader.next(&record);
      if (next == RingReader::Next::none) {
        std::this_thread::yield();
        continue;
      }
      if (next == RingReader::Next::corrupt || record.kind == 2) break;
      if (ring->reader.take()) {
        uint64_t value;
        std::memcpy(&value, record.body.data(), sizeof value);
        ++ran;
        sum += value;
      }
      ring->reader.release();
    }
  });
  uint64_t withdrawn = 0;
  uint64_t expected = 0;
  for (uint64_t i = 0; i < kRecords; ++i) {
    const Bytes body = std::as_bytes(std::span(&i, 1));
    std::optional<uint64_t> position;
    while (!(position = ring->writer.write(1, {body}))) std::this_thread::yield();
    if (i % 3 == 0 && ring->writer.withdraw(*position)) {
      ++withdrawn;
    } else {
      expected += i;
    }
  }
  while (!ring->writer.write(2, {})) std::this_thread::yield();
  reader.join();
  EXPECT_EQ(ran + withdrawn, kRecords);
  EXPECT_EQ(sum, expected);
}

TEST(Ring, WhateverABrokenWriterLeavesTheReaderStaysInside) {
  std::mt19937_64 random(11);
  int corrupt = 0;
  for (int round = 0; round < 20000; ++round) {
    Shared ring;
    const std::string text(random() % 200, 'y');
    for (int i = 0; i < 4; ++i) ring.writer.write(1, {bytes_of(text)});
    for (int i = 0; i < 6; ++i) {
      const uint64_t noise = random() >> (random() % 64);
      std::memcpy(ring.bytes + (random() % (kCapacity / 8)) * 8, &noise, sizeof noise);
    }
    if (round % 3 == 0) ring.state.written = random() >> (random() % 64);
    Record record;
    for (int i = 0; i < 200; ++i) {
      const RingReader::Next next = ring.reader.next(&record);
      corrupt += next == RingReader::Next::corrupt;
      if (next != RingReader::Next::record) break;
      ASSERT_GE(record.body.data(), ring.bytes);
      ASSERT_LE(record.body.data() + record.body.size(), ring.bytes + kCapacity);
      ring.reader.release();
    }
  }
  EXPECT_GT(corrupt, 1000);
}

}  // namespace
}  // namespace manycore::worker
