#include "bindings/tasks/worker_items.h"

#include <algorithm>
#include <optional>

#include "bindings/tasks/worker_errors.h"
#include "os/clock.h"

namespace manycore::python::tasks {
namespace {

class Items {
 public:
  Items(PyObject* items, bool packed) {
    if (packed) {
      if (PyObject_GetBuffer(items, &view_, PyBUF_SIMPLE) < 0) return;
      numbers_.emplace(worker::Bytes(static_cast<const std::byte*>(view_.buf), static_cast<size_t>(view_.len)));
    } else {
      iterator_ = Reference(PyObject_GetIter(items));
    }
  }
  ~Items() {
    if (numbers_) PyBuffer_Release(&view_);
  }
  Items(const Items&) = delete;
  Items& operator=(const Items&) = delete;

  bool valid() const { return numbers_ ? numbers_->valid() : static_cast<bool>(iterator_); }
  // Null after the last, or with an exception.
  Reference next() {
    if (!numbers_) return Reference((*Py_TYPE(iterator_.get())->tp_iternext)(iterator_.get()));
    return index_ < numbers_->count() ? numbers_->at(index_++) : Reference();
  }

 private:
  Py_buffer view_{};
  std::optional<PackedReader> numbers_;
  Reference iterator_;
  int64_t index_ = 0;
};

// From here on the results are a list.
bool spill(ItemResults& results) {
  results.values = Reference(PyList_New(0));
  for (int64_t i = 0; results.values && i < results.numbers.count(); ++i) {
    const Reference value = results.numbers.at(i);
    if (!value || PyList_Append(results.values.get(), value.get()) < 0) return false;
  }
  return static_cast<bool>(results.values);
}

bool add(ItemResults& results, PyObject* value) {
  if (!results.values) {
    if (results.numbers.add(value)) return true;
    if (!spill(results)) return false;
  }
  return PyList_Append(results.values.get(), value) == 0;
}

bool add_failure(ItemResults& results, int64_t index) {
  if (raised_ends_worker()) return false;
  Reference sent = Reference::to(results.interrupt.get());
  if (!sent) {
    const Reference exception = take_raised();
    sent = wrapped(exception.get());
    if (is_interrupt(exception.get())) results.interrupt = Reference::to(sent.get());
  }
  const Reference key(PyLong_FromLongLong(index));
  if (!results.failures) results.failures = Reference(PyDict_New());
  return sent && key && results.failures && PyDict_SetItem(results.failures.get(), key.get(), sent.get()) == 0 &&
         add(results, Py_None);
}

}  // namespace

Reference ItemResults::tuple() const {
  return Reference(Py_BuildValue("(OOd)", values.get(), failures ? failures.get() : Py_None, nanoseconds));
}

namespace {

// The item's exception, raised where it is one that could not be read.
Reference call_item(PyObject* function, PyObject* item, PyObject* broken, int64_t index, bool tuples) {
  if (broken != nullptr) [[unlikely]] {
    const Reference key(PyLong_FromLongLong(index));
    PyObject* error = key ? PyDict_GetItemWithError(broken, key.get()) : nullptr;
    if (error != nullptr) raise(error);
    if (PyErr_Occurred() != nullptr) return {};
  }
  return Reference(tuples ? PyObject_CallObject(function, item) : PyObject_CallOneArg(function, item));
}

}  // namespace

bool run_items(PyObject* function, PyObject* items, PyObject* broken, bool packed, bool tuples, ItemResults* results) {
  const int64_t begin = os::now_nanoseconds();
  Items source(items, packed);
  if (!source.valid()) {
    if (PyErr_Occurred() == nullptr) PyErr_SetString(PyExc_SystemError, "worker process: numbers that no pool sends");
    return false;
  }
  int64_t index = 0;
  while (const Reference item = source.next()) {
    const Reference result = results->interrupt ? Reference() : call_item(function, item.get(), broken, index, tuples);
    if (result ? !add(*results, result.get()) : !add_failure(*results, index)) return false;
    ++index;
  }
  if (PyErr_Occurred() != nullptr) return false;
  results->nanoseconds = static_cast<double>(os::now_nanoseconds() - begin) / static_cast<double>(std::max<int64_t>(index, 1));
  return results->values || index > 0 || spill(*results);
}

}  // namespace manycore::python::tasks
