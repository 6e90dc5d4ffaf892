// What the flags of requests and replies mean to both sides.
#pragma once

#include <cstdint>

namespace manycore::python::tasks {

// Of a request. Without any, the payload is a tuple of arguments for the function that was defined before.
inline constexpr uint32_t kWithKeywords = 1;     // a tuple of the arguments and the keywords
inline constexpr uint32_t kFunctionInside = 2;   // a tuple of the function, the arguments and the keywords
inline constexpr uint32_t kItems = 4;            // items; results, exceptions by index or None, and nanoseconds each come back
inline constexpr uint32_t kItemsAreTuples = 8;   // of arguments
inline constexpr uint32_t kPayloadInBlock = 16;  // the last block holds the payload

inline constexpr uint32_t kPacked = 64;            // the payload is no pickle but packed numbers (packed.h); of a reply too
inline constexpr uint32_t kEndIfUnreadable = 128;  // as the standard's worker, which ends where a call cannot be read

// Of a reply.
inline constexpr uint32_t kNone = 32;      // the result is None, without a payload
inline constexpr uint32_t kMissed = 512;   // an error: the deadline was over when the call's turn came; by how much, `began` says
inline constexpr uint32_t kStopped = 256;  // an error that is that the call obeyed when told to stop; nothing else is sent

}  // namespace manycore::python::tasks
