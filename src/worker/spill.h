// Spill: where large bytes go on their way to another process when there is no memory for them and their sender may not wait. A file
// without a name in the user's TMPDIR, made when it is first needed; the receiver opens it through the sender's descriptor. Disk
// space is given back as blocks come back, and nothing of it is kept. Thread-safe; lives until its last lease has gone.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>

#include "os/memory_file.h"
#include "worker/call.h"

namespace manycore::worker {

class MANYCORE_API Spill : public std::enable_shared_from_this<Spill> {
 public:
  // The bytes as they are now. Throws ResourceError: no file can be made, or the disk is full.
  std::shared_ptr<Lease> store(const void* data, int64_t bytes);
  int64_t bytes_spilled();  // ever
  // Leases that are out.
  int64_t in_use();
  // The file stays as it is, whatever comes back: others read it (this process leaves), or it is another's (a child of fork).
  void abandon();

 private:
  class SpillLease;
  int64_t reserve(int64_t size);
  void take_back(int64_t offset, int64_t size);

  os::MemoryFile file_;
  std::mutex mutex_;
  std::multimap<int64_t, int64_t> free_;  // offsets by size
  int64_t end_ = 0;
  int64_t in_use_ = 0;
  int64_t spilled_ = 0;
  bool abandoned_ = false;
};

}  // namespace manycore::worker
