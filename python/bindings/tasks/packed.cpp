#include "bindings/tasks/packed.h"

#include <bit>
#include <cstring>

namespace manycore::python::tasks {
namespace {

struct Head {
  char kind;
  uint8_t width;
  uint8_t unused[6];
  double nanoseconds;
};
static_assert(sizeof(Head) == 16);

constexpr char kInts = 'i';
constexpr char kFloats = 'f';

Reference number(char kind, int64_t bits) {
  return Reference(kind == kInts ? PyLong_FromLongLong(bits) : PyFloat_FromDouble(std::bit_cast<double>(bits)));
}

template <class Narrow>
void append(std::string& to, const std::vector<int64_t>& numbers) {
  const size_t begin = to.size();
  to.resize(begin + numbers.size() * sizeof(Narrow));
  char* place = to.data() + begin;
  for (const int64_t wide : numbers) {
    const auto narrow = static_cast<Narrow>(wide);
    std::memcpy(place, &narrow, sizeof narrow);
    place += sizeof narrow;
  }
}

template <class Narrow>
int64_t widened(const std::byte* numbers, int64_t index) {
  Narrow narrow;
  std::memcpy(&narrow, numbers + index * static_cast<int64_t>(sizeof narrow), sizeof narrow);
  return narrow;
}

}  // namespace

bool PackedWriter::add(PyObject* object) {
  int64_t bits;
  if (PyLong_CheckExact(object)) {
    if (kind_ == kFloats) return false;
    int overflow = 0;
    bits = PyLong_AsLongLongAndOverflow(object, &overflow);
    if (overflow != 0) return false;
    bits_ |= static_cast<uint64_t>(bits ^ (bits >> 63));
    kind_ = kInts;
  } else if (PyFloat_CheckExact(object)) {
    if (kind_ == kInts) return false;
    bits = std::bit_cast<int64_t>(PyFloat_AS_DOUBLE(object));
    kind_ = kFloats;
  } else {
    return false;
  }
  numbers_.push_back(bits);
  return true;
}

Reference PackedWriter::at(int64_t index) const { return number(kind_, numbers_[static_cast<size_t>(index)]); }

std::string PackedWriter::bytes(double nanoseconds) const {
  const int needed = kind_ == kFloats ? 64 : std::bit_width(bits_) + 1;
  Head head{};
  head.kind = kind_;
  head.width = static_cast<uint8_t>(needed <= 8 ? 1 : needed <= 16 ? 2 : needed <= 32 ? 4 : 8);
  head.nanoseconds = nanoseconds;
  std::string result(reinterpret_cast<const char*>(&head), sizeof head);
  if (head.width == 1) append<int8_t>(result, numbers_);
  if (head.width == 2) append<int16_t>(result, numbers_);
  if (head.width == 4) append<int32_t>(result, numbers_);
  if (head.width == 8) append<int64_t>(result, numbers_);
  return result;
}

PackedReader::PackedReader(worker::Bytes bytes) {
  Head head;
  if (bytes.size() < sizeof head) return;
  std::memcpy(&head, bytes.data(), sizeof head);
  const size_t body = bytes.size() - sizeof head;
  if ((head.kind != kInts && head.kind != kFloats) || !std::has_single_bit(head.width) || head.width > 8) return;
  if ((head.kind == kFloats && head.width != 8) || body % head.width != 0) return;
  numbers_ = bytes.data() + sizeof head;
  kind_ = head.kind;
  width_ = head.width;
  nanoseconds_ = head.nanoseconds;
  count_ = static_cast<int64_t>(body / head.width);
}

Reference PackedReader::at(int64_t index) const {
  switch (width_) {
    case 1:
      return number(kind_, widened<int8_t>(numbers_, index));
    case 2:
      return number(kind_, widened<int16_t>(numbers_, index));
    case 4:
      return number(kind_, widened<int32_t>(numbers_, index));
    default:
      return number(kind_, widened<int64_t>(numbers_, index));
  }
}

std::string packed_list(PyObject* list) {
  PackedWriter writer;
  for (Py_ssize_t i = 0; i < PyList_GET_SIZE(list); ++i) {
    if (!writer.add(PyList_GET_ITEM(list, i))) return {};
  }
  return writer.count() > 0 ? writer.bytes(0) : std::string();
}

}  // namespace manycore::python::tasks
