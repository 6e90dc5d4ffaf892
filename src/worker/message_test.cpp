#include "worker/message.h"

#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <string>

namespace manycore::worker {
namespace {

std::string encode(const Request& request) {
  const MessageHead head = head_of(request);
  std::string body;
  for (Bytes part : {bytes_of(head), bytes_of(request.blocks), request.payload})
    body.append(reinterpret_cast<const char*>(part.data()), part.size());
  return body;
}

TEST(Message, WhatIsEncodedIsDecoded) {
  const std::string payload = "what only Python reads";
  Request request{41, 7, 3, {{0, 4096, 70000}, {0, 0, 1}}, std::as_bytes(std::span(payload)), 99};
  const std::string body = encode(request);
  Request read;
  ASSERT_TRUE(decode(std::as_bytes(std::span(body)), &read));
  EXPECT_EQ(read.ticket, 41u);
  EXPECT_EQ(read.function, 7u);
  EXPECT_EQ(read.flags, 3u);
  EXPECT_EQ(read.deadline, 99);
  ASSERT_EQ(read.blocks.size(), 2u);
  EXPECT_EQ(read.blocks[0].bytes, 70000u);
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(read.payload.data()), read.payload.size()), payload);
  // Each shorter body lacks something, down to where only the payload is cut.
  const size_t fixed = body.size() - payload.size();
  for (size_t length = 0; length < fixed; ++length)
    EXPECT_FALSE(decode(std::as_bytes(std::span(body.data(), length)), &read)) << length;
  EXPECT_TRUE(decode(std::as_bytes(std::span(body.data(), fixed)), &read));
}

TEST(Message, AnyBytesAreDecodedOrRefusedAndNothingPointsOutside) {
  std::mt19937_64 random(3);
  int accepted = 0;
  int refused = 0;
  for (int round = 0; round < 200000; ++round) {
    // On the heap and of this very length, so that the address sanitizer sees a byte too far.
    std::vector<char> body(random() % 200);
    const uint64_t mask = ~uint64_t{0} >> (random() % 64);
    for (char& byte : body) byte = static_cast<char>(random() & mask);
    if (body.size() >= sizeof(MessageHead) && round % 2 == 0) {
      const auto blocks = static_cast<uint32_t>(random() % 9);
      std::memcpy(body.data() + offsetof(MessageHead, blocks), &blocks, sizeof blocks);
    }
    const Bytes bytes = std::as_bytes(std::span(body));
    Reply reply;
    if (!decode(bytes, &reply)) {
      ++refused;
      continue;
    }
    ++accepted;
    ASSERT_LE(reply.blocks.size(), kMostBlocks);
    ASSERT_EQ(reply.payload.data() + reply.payload.size(), bytes.data() + bytes.size());
    for (const BlockPlace& place : reply.blocks) ASSERT_GE(place.offset + place.bytes, place.offset);
  }
  EXPECT_GT(accepted, 1000);
  EXPECT_GT(refused, 1000);
}

}  // namespace
}  // namespace manycore::worker
