#include "worker/private_block.h"

#include <fcntl.h>

#include "os/pages.h"

namespace manycore::worker {
namespace {

constexpr int64_t kMostKept = int64_t{512} << 20;
constexpr int64_t kNotKept = -1;  // the offset of what lies on disk

int64_t whole_pages(int64_t bytes) { return (bytes + os::kPageBytes - 1) / os::kPageBytes * os::kPageBytes; }

}  // namespace

BlockReader::BlockReader(int descriptor) : file_(fcntl(descriptor, F_DUPFD_CLOEXEC, 0)) {}

BlockReader::~BlockReader() {
  for (const auto& [offset, mapping] : kept_) os::unmap_pages(mapping.data, mapping.bytes);
}

bool BlockReader::find_spill(int64_t sender, const BlockPlace& place) {
  const std::lock_guard lock(mutex_);
  if (place.file == spill_file_) return true;
  if (place.file > INT32_MAX) return false;
  os::MemoryFile file = os::open_of_process(sender, static_cast<int>(place.file) - 1);
  if (!file.valid()) return false;
  spill_ = std::move(file);
  spill_file_ = place.file;
  return true;
}

PrivateBlock BlockReader::open(const BlockPlace& place) {
  int descriptor = file_.descriptor();
  if (place.file != 0) {
    const std::lock_guard lock(mutex_);
    if (place.file != spill_file_) return {};
    descriptor = spill_.descriptor();
  }
  const auto offset = static_cast<int64_t>(place.offset);
  const auto bytes = static_cast<int64_t>(place.bytes);
  const int64_t held = os::file_bytes(descriptor);
  if (bytes <= 0 || offset % os::kPageBytes != 0 || offset > held || bytes > held - offset) return {};
  const int64_t wanted = whole_pages(bytes);
  if (place.file == 0) {
    const std::lock_guard lock(mutex_);
    const auto kept = kept_.find(offset);
    if (kept != kept_.end() && kept->second.bytes >= wanted) {
      const Mapping mapping = kept->second;
      kept_.erase(kept);
      kept_bytes_ -= mapping.bytes;
      return {shared_from_this(), offset, bytes, mapping};
    }
  }
  std::byte* data = os::map_private(descriptor, offset, wanted);
  if (data == nullptr) return {};
  os::fault_in_for_reading(data, wanted);
  return {shared_from_this(), place.file == 0 ? offset : kNotKept, bytes, Mapping{data, wanted}};
}

void BlockReader::keep(int64_t offset, Mapping mapping) {
  if (offset != kNotKept && os::drop_written_pages(mapping.data, mapping.bytes)) {
    const std::lock_guard lock(mutex_);
    if (kept_bytes_ + mapping.bytes <= kMostKept && kept_.emplace(offset, mapping).second) {
      kept_bytes_ += mapping.bytes;
      return;
    }
  }
  os::unmap_pages(mapping.data, mapping.bytes);
}

PrivateBlock::~PrivateBlock() {
  if (reader_ != nullptr) reader_->keep(offset_, mapping_);
}

}  // namespace manycore::worker
