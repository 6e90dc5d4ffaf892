// Memory that several processes share and that has no name: a memfd. It goes when the last descriptor and mapping go, whatever
// ended its owners, and no mount limits it. Pages are reserved when asked for (fallocate), so that a full machine is an error at
// the call and not SIGBUS at a later write. A MemoryFile owns its descriptor (close-on-exec) and is used by one thread at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

#include "manycore/export.h"

namespace manycore::os {

class MANYCORE_API MemoryFile {
 public:
  MemoryFile() = default;
  explicit MemoryFile(int descriptor) : descriptor_(descriptor) {}
  ~MemoryFile();
  MemoryFile(MemoryFile&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
  MemoryFile& operator=(MemoryFile&& other) noexcept;
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;

  // An empty one of so many bytes, zeroed. Throws ResourceError.
  static MemoryFile create(const char* name, int64_t bytes);
  // One on disk, in the folder that the user's TMPDIR names (else /tmp): without a name too, and nobody else's to read. Its pages are
  // the system's to write out. Throws ResourceError.
  static MemoryFile on_disk();

  int descriptor() const { return descriptor_; }
  int release() { return std::exchange(descriptor_, -1); }
  bool valid() const { return descriptor_ >= 0; }

  // Take pages now; false where the system has none left. `bytes` counts from `offset`.
  bool reserve(int64_t offset, int64_t bytes);
  // Put bytes there; the file grows where it has to. False where the system has no pages left.
  bool write(int64_t offset, const void* data, int64_t bytes);
  bool read(int64_t offset, void* data, int64_t bytes) const;
  // Give the pages back; the range reads as zero afterwards.
  void drop(int64_t offset, int64_t bytes);
  // All of them; the file is empty afterwards.
  void clear();

 private:
  int descriptor_ = -1;
};

// The folder of such files.
MANYCORE_API const char* temporary_folder();

// A descriptor of another process, opened again here; not valid where it has ended or does not let us. Never waits.
MANYCORE_API MemoryFile open_of_process(int64_t process, int descriptor);

// How long the file behind a descriptor is; 0 where there is none.
MANYCORE_API int64_t file_bytes(int descriptor);

// Writes are seen by everyone who maps the file (shared), or by nobody else (private: a page is copied when it is first written).
// Null where the system refuses; unmap_pages (os/pages.h) ends the mapping. What begins at a multiple of kHugePageBytes in the file and
// is as long does so in memory too, so that the file's huge pages are mapped as such.
MANYCORE_API std::byte* map_shared(int descriptor, int64_t offset, int64_t bytes);
MANYCORE_API std::byte* map_private(int descriptor, int64_t offset, int64_t bytes);

}  // namespace manycore::os
