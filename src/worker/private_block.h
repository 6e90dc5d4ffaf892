// The receiver's side of blocks (blocks.h): a private mapping of one, which it may write while the sender's bytes stay. A mapping is kept
// when its block goes back and serves the next bytes that come in it: pages that were not written show them at once, those that were
// are dropped. That spares a page fault per page (64 MiB: 9 ms of 12).
// BlockReader is thread-safe and lives until its last block has gone.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <unordered_map>

#include "os/memory_file.h"
#include "worker/message.h"

namespace manycore::worker {

class PrivateBlock;

class MANYCORE_API BlockReader : public std::enable_shared_from_this<BlockReader> {
 public:
  // `descriptor`: of the sender's store; a copy of it is kept.
  explicit BlockReader(int descriptor);
  ~BlockReader();

  int descriptor() const { return file_.descriptor(); }
  // Opens what the sender, which lives, spilled to (spill.h), where the place lies there. Later the file is held.
  bool find_spill(int64_t sender, const BlockPlace& place);
  // Not valid where the file does not hold the place, or the system refuses.
  PrivateBlock open(const BlockPlace& place);

 private:
  friend class PrivateBlock;
  struct Mapping {
    std::byte* data;
    int64_t bytes;
  };
  void keep(int64_t offset, Mapping mapping);

  os::MemoryFile file_;
  os::MemoryFile spill_;
  uint64_t spill_file_ = 0;
  std::mutex mutex_;
  std::unordered_map<int64_t, Mapping> kept_;  // by offset
  int64_t kept_bytes_ = 0;
};

class MANYCORE_API PrivateBlock {
 public:
  PrivateBlock() = default;
  PrivateBlock(std::shared_ptr<BlockReader> reader, int64_t offset, int64_t bytes, BlockReader::Mapping mapping)
      : reader_(std::move(reader)), offset_(offset), bytes_(bytes), mapping_(mapping) {}
  ~PrivateBlock();
  PrivateBlock(PrivateBlock&& other) noexcept = default;
  PrivateBlock(const PrivateBlock&) = delete;
  PrivateBlock& operator=(const PrivateBlock&) = delete;

  bool valid() const { return reader_ != nullptr; }
  std::byte* data() const { return mapping_.data; }
  int64_t bytes() const { return bytes_; }

 private:
  std::shared_ptr<BlockReader> reader_;
  int64_t offset_ = 0;
  int64_t bytes_ = 0;
  BlockReader::Mapping mapping_{};
};

}  // namespace manycore::worker
