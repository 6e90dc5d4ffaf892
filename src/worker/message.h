// What requests and replies look like inside a record, and how they are read again. Fixed heads of little-endian numbers, then the
// references to blocks, then the payload, whose meaning this room does not know. `decode_*` survive any bytes: they answer
// false for what no encoder wrote, and what they answer never points outside the body. Pure functions.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "worker/ring.h"

namespace manycore::worker {

// Where large bytes lie in the sender's memory file (blocks.h), or in the file of what it had no memory for (spill.h).
struct BlockPlace {
  uint64_t file = 0;  // 1 + the sender's descriptor of the latter; 0: the memory file
  uint64_t offset = 0;
  uint64_t bytes = 0;
};

// One number for a place among those of one sender, which begin at pages.
inline uint64_t key_of(const BlockPlace& place) { return place.offset | (place.file != 0 ? 1 : 0); }

enum class RequestKind : uint32_t { call = 1, function = 2, leave = 3, blocks_back = 4 };
enum class ReplyKind : uint32_t { result = 1, error = 2, ready = 3, blocks_back = 4, leaving = 5 };

// A call or a function's definition.
struct Request {
  uint64_t ticket = 0;
  uint64_t function = 0;
  uint32_t flags = 0;  // the bindings' own
  std::vector<BlockPlace> blocks;
  Bytes payload;
  int64_t deadline = 0;  // of its begin, by the monotonic clock, which all processes share; 0: none
};
struct Reply {
  uint64_t ticket = 0;
  uint64_t nanoseconds = 0;  // that the call took
  uint32_t flags = 0;
  std::vector<BlockPlace> blocks;
  Bytes payload;
  int64_t began = 0;  // by the monotonic clock
};

inline constexpr size_t kMostBlocks = 256;  // of one message; the rest goes into the payload

struct MessageHead {
  uint64_t ticket;
  uint64_t number;  // function or nanoseconds
  uint32_t flags;
  uint32_t blocks;
  int64_t time = 0;  // a reply's begin or a request's deadline
};
static_assert(sizeof(MessageHead) == 32 && sizeof(BlockPlace) == 24);

MANYCORE_API bool decode(Bytes body, Request* request);
MANYCORE_API bool decode(Bytes body, Reply* reply);

// Heads for RingWriter::write({bytes_of(head), bytes_of(blocks), payload}).
inline MessageHead head_of(const Request& request) {
  return {request.ticket, request.function, request.flags, static_cast<uint32_t>(request.blocks.size()), request.deadline};
}
inline MessageHead head_of(const Reply& reply) {
  return {reply.ticket, reply.nanoseconds, reply.flags, static_cast<uint32_t>(reply.blocks.size()), reply.began};
}
inline Bytes bytes_of(const MessageHead& head) { return std::as_bytes(std::span(&head, 1)); }
inline Bytes bytes_of(const std::vector<BlockPlace>& blocks) { return std::as_bytes(std::span(blocks)); }

}  // namespace manycore::worker
