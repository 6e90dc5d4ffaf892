#include "bindings/tasks/plain_values.h"

#include <algorithm>
#include <cstring>

#include "bindings/tasks/names_main.h"

namespace manycore::python::tasks {
namespace {

constexpr char kMark = 1;  // pickles of protocol 2 and later begin with 0x80
constexpr Py_ssize_t kMostValues = 16;
constexpr Py_ssize_t kLongestText = 255;
int64_t written = 0;                   // with the GIL
constexpr unsigned char kAlone = 255;  // in place of the number of values in a tuple

enum Tag : char { kNothing, kFalse, kTrue, kInt, kFloat, kText, kBytes };

template <class T>
void put(std::string* bytes, Tag tag, T value) {
  char raw[1 + sizeof value];
  raw[0] = tag;
  std::memcpy(raw + 1, &value, sizeof value);
  bytes->append(raw, sizeof raw);
}

bool put_short(std::string* bytes, Tag tag, const char* data, Py_ssize_t length) {
  if (length > kLongestText) return false;
  put(bytes, tag, static_cast<unsigned char>(length));
  bytes->append(data, static_cast<size_t>(length));
  return true;
}

bool put_value(std::string* bytes, PyObject* object) {
  if (PyLong_CheckExact(object)) {
    int overflow;
    const long long value = PyLong_AsLongLongAndOverflow(object, &overflow);
    if (overflow == 0) put(bytes, kInt, value);
    return overflow == 0;
  }
  if (PyFloat_CheckExact(object)) return put(bytes, kFloat, PyFloat_AS_DOUBLE(object)), true;
  if (object == Py_None) return bytes->push_back(kNothing), true;
  if (object == Py_True) return bytes->push_back(kTrue), true;
  if (object == Py_False) return bytes->push_back(kFalse), true;
  if (PyBytes_CheckExact(object)) return put_short(bytes, kBytes, PyBytes_AS_STRING(object), PyBytes_GET_SIZE(object));
  if (!PyUnicode_CheckExact(object) || !PyUnicode_IS_COMPACT_ASCII(object)) return false;
  return put_short(bytes, kText, static_cast<const char*>(PyUnicode_DATA(object)), PyUnicode_GET_LENGTH(object));
}

// Pickle keeps it when one object of these stands in several places.
bool keeps_identity(PyObject* object) { return PyUnicode_Check(object) || PyBytes_Check(object); }

class Values {
 public:
  explicit Values(worker::Bytes bytes) : at_(bytes.data()), end_(bytes.data() + bytes.size()) {}

  Reference next() {
    unsigned char tag;
    if (!take(&tag)) return {};
    switch (tag) {
      case kNothing:
        return Reference::to(Py_None);
      case kFalse:
        return Reference::to(Py_False);
      case kTrue:
        return Reference::to(Py_True);
      case kInt:
        if (long long value; take(&value)) return Reference(PyLong_FromLongLong(value));
        return {};
      case kFloat:
        if (double value; take(&value)) return Reference(PyFloat_FromDouble(value));
        return {};
      case kText:
      case kBytes:
        return next_short(tag);
      default:
        return {};
    }
  }
  bool done() const { return at_ == end_; }

 private:
  template <class T>
  bool take(T* value) {
    if (end_ - at_ < static_cast<ptrdiff_t>(sizeof *value)) return false;
    std::memcpy(value, at_, sizeof *value);
    at_ += sizeof *value;
    return true;
  }

  Reference next_short(unsigned char tag) {
    unsigned char length;
    if (!take(&length) || end_ - at_ < length) return {};
    const auto* begin = reinterpret_cast<const char*>(at_);
    at_ += length;
    if (tag == kBytes) return Reference(PyBytes_FromStringAndSize(begin, length));
    return Reference(PyUnicode_DecodeASCII(begin, length, nullptr));
  }

  const std::byte* at_;
  const std::byte* end_;
};

Reference read(worker::Bytes bytes) {
  const auto count = static_cast<unsigned char>(bytes[1]);
  Values values(bytes.subspan(2));
  Reference object;
  if (count == kAlone) {
    object = values.next();
  } else {
    object = Reference(PyTuple_New(count));
    for (Py_ssize_t i = 0; object && i < count; ++i) {
      Reference value = values.next();
      if (!value) return {};
      PyTuple_SET_ITEM(object.get(), i, value.release());
    }
  }
  return object && values.done() ? std::move(object) : Reference();
}

bool write(PyObject* object, std::string* bytes) {
  bytes->assign(1, kMark);
  if (!PyTuple_CheckExact(object)) {
    bytes->push_back(static_cast<char>(kAlone));
    return put_value(bytes, object);
  }
  const Py_ssize_t count = PyTuple_GET_SIZE(object);
  if (count > kMostValues) return false;
  bytes->push_back(static_cast<char>(count));
  PyObject* const* values = &PyTuple_GET_ITEM(object, 0);
  for (Py_ssize_t i = 0; i < count; ++i) {
    if (keeps_identity(values[i]) && std::find(values, values + i, values[i]) != values + i) return false;
    if (!put_value(bytes, values[i])) return false;
  }
  return true;
}

PyObject* plain_bytes(PyObject*, PyObject* object) {
  std::string bytes;
  if (!write(object, &bytes)) Py_RETURN_NONE;
  return PyBytes_FromStringAndSize(bytes.data(), static_cast<Py_ssize_t>(bytes.size()));
}

PyObject* from_plain_bytes(PyObject*, PyObject* object) {
  char* data;
  Py_ssize_t size;
  if (PyBytes_AsStringAndSize(object, &data, &size) < 0) return nullptr;
  return read_plain(std::as_bytes(std::span(data, static_cast<size_t>(size)))).release();
}

PyObject* plain_values_written(PyObject*, PyObject*) { return PyLong_FromLongLong(written); }

PyObject* names_main_of(PyObject*, PyObject* bytes) {
  char* data;
  Py_ssize_t size;
  if (PyBytes_AsStringAndSize(bytes, &data, &size) < 0) return nullptr;
  return PyBool_FromLong(names_main({data, static_cast<size_t>(size)}) ? 1 : 0);
}

PyMethodDef functions[] = {
    {"names_main", names_main_of, METH_O, "Does a pickle name functions or classes of __main__, or is that not clear?"},
    {"plain_bytes", plain_bytes, METH_O, "A plain value or tuple as it travels, or None where it is for the pickler."},
    {"from_plain_bytes", from_plain_bytes, METH_O, "What plain_bytes() was given."},
    {"plain_values_written", plain_values_written, METH_NOARGS,
     "How many arguments and results this process has sent without the pickler."},
    {nullptr, nullptr, 0, nullptr},
};

}  // namespace

bool write_plain(PyObject* object, std::string* bytes) {
  const bool plain = write(object, bytes);
  if (!plain) bytes->clear();
  written += plain ? 1 : 0;
  return plain;
}

bool is_written_plain(worker::Bytes bytes) { return !bytes.empty() && static_cast<char>(bytes[0]) == kMark; }

Reference read_plain(worker::Bytes bytes) {
  Reference object = is_written_plain(bytes) && bytes.size() >= 2 ? read(bytes) : Reference();
  if (!object && PyErr_Occurred() == nullptr)
    PyErr_SetString(PyExc_ValueError, "plain values from another process: bytes that no writer of them wrote");
  return object;
}

int add_plain_values(PyObject* module) { return PyModule_AddFunctions(module, functions); }

}  // namespace manycore::python::tasks
