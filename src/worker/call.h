// What a crew runs: a call is a function's number, a payload that only the bindings understand, and places of large bytes.
// The crew owns a call from submit() until it comes back in a Finished; `owner` is the bindings' own and untouched here.
// A function is shared by its calls; its definition goes to each worker once. Its estimate changes under the crew's lock.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "manycore/export.h"
#include "worker/message.h"
#include "worker/private_block.h"

namespace manycore::worker {

struct Function {
  uint64_t number = 0;
  std::string definition;
  int64_t nanoseconds = -1;  // that a call takes: the longest lately; -1 while unknown
};

// Bytes of a sender's store (blocks.h) that a message refers to; kept until the receiver has no use for them.
class MANYCORE_API Lease {
 public:
  virtual ~Lease();
  virtual BlockPlace place() const = 0;
};

// Counts, over all pools of this process, calls that hold blocks and are not over: what they hold comes back.
class MANYCORE_API InFlight {
 public:
  InFlight() = default;
  ~InFlight() { end(); }
  InFlight(const InFlight&) = delete;
  InFlight& operator=(const InFlight&) = delete;

  void begin();
  void end();
  static int64_t count();
  // In a child of fork: those are the parent's.
  static void forget_all();

 private:
  int64_t counted_ = 0;  // when, in forks; 0: not
};

struct Call {
  enum class State : uint8_t { waiting, sent, withdrawn };

  uint64_t ticket = 0;
  std::shared_ptr<Function> function;
  std::string payload;
  uint32_t flags = 0;
  std::vector<std::shared_ptr<Lease>> leases;
  InFlight in_flight;
  int64_t priority = 0;   // higher ones begin first; among equals the earlier deadline, then the earlier submit
  int64_t deadline = 0;   // of its begin, by the monotonic clock, which the worker looks at; 0: none
  int retries = 0;        // how often it may run again after its worker died
  int64_t items = 1;      // tasks that it stands for
  int64_t submitted = 0;  // when, where a report is kept
  void* owner = nullptr;

  // The crew's.
  State state = State::waiting;
  int worker = -1;
  uint64_t position = 0;
  bool told_to_stop = false;  // it is not run again
  bool ended = false;         // by force, with its worker
};

struct Death {
  int64_t process = 0;
  bool known = false;  // the exit code
  int exit_code = 0;
  int64_t peak_bytes = 0;
};

struct Finished {
  enum class How : uint8_t { result, error, died, ended };

  std::unique_ptr<Call> call;
  How how = How::result;
  uint32_t flags = 0;
  std::string payload;
  std::vector<BlockPlace> blocks;
  std::shared_ptr<BlockReader> reader;  // through which they are mapped; it outlives the worker
  int64_t began = 0;                    // the call, by the monotonic clock
  int64_t nanoseconds = 0;              // that it took
  int64_t process = 0;
  int worker = -1;
  uint64_t incarnation = 0;  // of the worker's slot, for giving blocks back
  Death death;
};

// A worker that is gone.
struct Departure {
  int slot = -1;
  bool asked = false;   // it was told to leave
  bool forced = false;  // the pool ended it to end a call
  bool was_ready = false;
  int retried = 0;  // calls that run again since it ended
  Death death;
};

}  // namespace manycore::worker
