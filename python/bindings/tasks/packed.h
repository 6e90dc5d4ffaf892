// Many plain numbers as bytes: how map() sends its items and results where all of them are ints of at most 64 bits or all are
// floats, which is several times cheaper than pickling them. A head, then the numbers in 1, 2, 4 or 8 bytes each.
// A reader believes nothing that it reads and refers to the bytes, which have to outlive it. With the GIL.
#pragma once

#include <Python.h>

#include <cstdint>
#include <string>
#include <vector>

#include "bindings/tasks/reference.h"
#include "worker/ring.h"

namespace manycore::python::tasks {

class PackedWriter {
 public:
  // False where the object is no number of the kind of those before it; it is not taken then.
  bool add(PyObject* object);
  int64_t count() const { return static_cast<int64_t>(numbers_.size()); }
  Reference at(int64_t index) const;
  // `nanoseconds`: that each took, for who reads it.
  std::string bytes(double nanoseconds) const;

 private:
  char kind_ = 0;
  uint64_t bits_ = 0;               // that some int needs, all or-ed together
  std::vector<int64_t> numbers_{};  // of floats the bits
};

class PackedReader {
 public:
  explicit PackedReader(worker::Bytes bytes);
  bool valid() const { return count_ >= 0; }
  int64_t count() const { return count_; }
  double nanoseconds() const { return nanoseconds_; }
  Reference at(int64_t index) const;

 private:
  const std::byte* numbers_ = nullptr;
  int64_t count_ = -1;
  double nanoseconds_ = 0;
  char kind_ = 0;
  int width_ = 0;
};

// The list as bytes; empty where it holds anything else than numbers of one kind.
std::string packed_list(PyObject* list);

}  // namespace manycore::python::tasks
