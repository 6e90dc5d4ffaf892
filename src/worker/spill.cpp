#include "worker/spill.h"

#include <errno.h>
#include <string.h>

#include <new>
#include <string>

#include "manycore/errors.h"
#include "os/pages.h"

namespace manycore::worker {

class Spill::SpillLease final : public Lease {
 public:
  SpillLease(std::shared_ptr<Spill> owner, int64_t offset, int64_t size, int64_t bytes)
      : owner_(std::move(owner)), offset_(offset), size_(size), bytes_(bytes) {}
  ~SpillLease() override { owner_->take_back(offset_, size_); }
  BlockPlace place() const override {
    return {static_cast<uint64_t>(owner_->file_.descriptor()) + 1, static_cast<uint64_t>(offset_), static_cast<uint64_t>(bytes_)};
  }

 private:
  std::shared_ptr<Spill> owner_;
  int64_t offset_;
  int64_t size_;
  int64_t bytes_;
};

int64_t Spill::reserve(int64_t size) {
  const std::lock_guard lock(mutex_);
  if (!file_.valid()) file_ = os::MemoryFile::on_disk();
  ++in_use_;
  if (const auto free = free_.find(size); free != free_.end()) {
    const int64_t offset = free->second;
    free_.erase(free);
    return offset;
  }
  const int64_t offset = end_;
  end_ += size;
  return offset;
}

void Spill::take_back(int64_t offset, int64_t size) {
  const std::lock_guard lock(mutex_);
  if (abandoned_) return;
  if (--in_use_ > 0) {
    file_.drop(offset, size);
    free_.emplace(size, offset);
    return;
  }
  // Also where the file system punches no holes.
  file_.clear();
  free_.clear();
  end_ = 0;
}

std::shared_ptr<Lease> Spill::store(const void* data, int64_t bytes) {
  const int64_t size = (bytes + os::kPageBytes - 1) / os::kPageBytes * os::kPageBytes;
  const int64_t offset = reserve(size);
  auto lease = std::make_shared<SpillLease>(shared_from_this(), offset, size, bytes);
  if (!file_.write(offset, data, bytes)) {
    throw ResourceError("sending to another process: no memory is left for " + std::to_string(bytes) + " bytes, and " +
                        os::temporary_folder() + " (TMPDIR) does not take them: " + strerror(errno) +
                        "; try a TMPDIR with more room, or raise --memory-limit");
  }
  const std::lock_guard lock(mutex_);
  spilled_ += bytes;
  return lease;
}

// In a child of fork, which has only this thread, the lock may be held by one that it has not got.
void Spill::abandon() {
  new (&mutex_) std::mutex;
  abandoned_ = true;
}

int64_t Spill::bytes_spilled() {
  const std::lock_guard lock(mutex_);
  return spilled_;
}

int64_t Spill::in_use() {
  const std::lock_guard lock(mutex_);
  return in_use_;
}

}  // namespace manycore::worker
