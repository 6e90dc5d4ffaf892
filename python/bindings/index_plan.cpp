#include "bindings/index_plan.h"

#include "bindings/arguments.h"
#include "bindings/exchange.h"
#include "evaluate/index.h"

namespace manycore::python {

namespace {

enum class ItemKind : unsigned char { kInteger, kSlice, kEllipsis, kNewAxis, kIntegers, kMask, kTruth };

struct Item {
  ItemKind kind;
  int64_t integer = 0;        // kInteger, kTruth (0 or 1)
  PyObject* slice = nullptr;  // borrowed
  Array array;                // kIntegers, kMask
  bool from_array = false;    // an integer that came as a zero-dimensional array
};

bool is_advanced(const Item& item) {
  return item.kind == ItemKind::kIntegers || item.kind == ItemKind::kMask || item.kind == ItemKind::kTruth;
}

// 1 taken, 0 declined, -1 error, as everywhere below.
int take_array_item(Array array, Item* item) {
  if (array.dtype() == DType::kBool) {
    if (array.ndim() == 0) {
      item->kind = ItemKind::kTruth;
      item->integer = array.data()[0] != std::byte{0};
    } else {
      item->kind = ItemKind::kMask;
      item->array = std::move(array);
    }
    return 1;
  }
  if (!is_integer(array.dtype())) return 0;
  if (array.ndim() == 0) {
    const Array wide = array.astype(DType::kInt64);
    item->kind = ItemKind::kInteger;
    std::memcpy(&item->integer, wide.data(), sizeof item->integer);
    item->from_array = true;
    return array.dtype() != DType::kUInt64 || item->integer >= 0;
  }
  item->kind = ItemKind::kIntegers;
  item->array = std::move(array);
  return 1;
}

// A flat list of Python integers, without NumPy's detour; false for any other.
bool take_integer_list(PyObject* list, Item* item) {
  const Py_ssize_t count = PySequence_Fast_GET_SIZE(list);
  for (Py_ssize_t i = 0; i < count; ++i) {
    if (!PyLong_CheckExact(PySequence_Fast_GET_ITEM(list, i))) return false;
  }
  item->kind = ItemKind::kIntegers;
  item->array = Array::empty(Dims{count}, DType::kInt64);
  auto* values = reinterpret_cast<int64_t*>(item->array.data());
  for (Py_ssize_t i = 0; i < count; ++i) {
    if (read_integer(PySequence_Fast_GET_ITEM(list, i), &values[i]) != 1) return false;
  }
  return true;
}

// A list (or a tuple within the index tuple): as numpy.asarray reads it, an empty one as integers.
int take_sequence_item(PyObject* object, Item* item) {
  if (take_integer_list(object, item)) return 1;
  PyObject* real = PyArray_FROM_O(object);
  if (!real) {
    PyErr_Clear();
    return 0;
  }
  DType dtype;
  int taken = 0;
  if (is_usable_real(real, &dtype)) {
    Array array = array_over(reinterpret_cast<PyArrayObject*>(real), dtype);
    if (array.size() == 0 && dtype == DType::kFloat64) array = Array::empty(array.shape(), DType::kInt64);
    taken = take_array_item(std::move(array), item);
  }
  Py_DECREF(real);
  return taken;
}

int take_item(PyObject* object, Item* item) {
  if (PyLong_CheckExact(object)) {
    item->kind = ItemKind::kInteger;
    return read_integer(object, &item->integer);
  }
  if (PySlice_Check(object)) {
    item->kind = ItemKind::kSlice;
    item->slice = object;
    return 1;
  }
  if (object == Py_None || object == Py_Ellipsis) {
    item->kind = object == Py_None ? ItemKind::kNewAxis : ItemKind::kEllipsis;
    return 1;
  }
  if (is_array(object)) return take_array_item(array_of(object), item);
  DType dtype;
  if (is_usable_real(object, &dtype)) return take_array_item(array_over(reinterpret_cast<PyArrayObject*>(object), dtype), item);
  if (PyBool_Check(object) || PyArray_IsScalar(object, Bool)) {
    item->kind = ItemKind::kTruth;
    item->integer = PyObject_IsTrue(object);
    return 1;
  }
  if (PyArray_IsScalar(object, Integer)) {
    item->kind = ItemKind::kInteger;
    return read_integer(object, &item->integer);
  }
  if (PyList_CheckExact(object) || PyTuple_CheckExact(object)) return take_sequence_item(object, item);
  return 0;
}

// How many axes of the array an item uses up.
int consumed(const Item& item) {
  switch (item.kind) {
    case ItemKind::kInteger:
    case ItemKind::kSlice:
    case ItemKind::kIntegers:
      return 1;
    case ItemKind::kMask:
      return item.array.ndim();
    default:
      return 0;
  }
}

class Planner {
 public:
  Planner(const View& source, IndexPlan* plan) : source_(source), plan_(*plan) {}

  int run(std::vector<Item>& items) {
    int used = 0;
    int made = 0;  // dimensions that take no axis of the array
    int ellipses = 0;
    for (const Item& item : items) {
      used += consumed(item);
      made += item.kind == ItemKind::kNewAxis || item.kind == ItemKind::kTruth;
      ellipses += item.kind == ItemKind::kEllipsis;
      has_advanced_ |= is_advanced(item);
    }
    if (ellipses > 1 || used > source_.ndim() || source_.ndim() + made > kMaxDims) return 1;
    hidden_ = source_.ndim() - used;
    plan_.view.data = source_.data;
    plan_.view.dtype = source_.dtype;
    if (is_single_mask(items)) return plan_single_mask(items);
    for (Item& item : items) {
      if (const int status = apply(item); status != 1) return status < 0 ? -1 : 1;
    }
    while (axis_ < source_.ndim()) keep_axis();
    finish(items);
    return 1;
  }

 private:
  void keep_axis() { add_axis(source_.shape[axis_], source_.strides[axis_]), ++axis_; }

  void add_axis(int64_t extent, int64_t stride) {
    plan_.view.shape.push_back(extent);
    plan_.view.strides.push_back(stride);
  }

  // a[mask] alone (or with slices that change nothing after it) is a selection, cheaper than positions.
  bool is_single_mask(const std::vector<Item>& items) const { return items.size() == 1 && items[0].kind == ItemKind::kMask; }

  int plan_single_mask(std::vector<Item>& items) {
    const Array& mask = items[0].array;
    for (int i = 0; i < mask.ndim(); ++i) {
      if (mask.shape()[i] != source_.shape[i]) return 1;
    }
    plan_.view = source_;
    plan_.indices.push_back(mask);
    plan_.kind = IndexKind::kMask;
    return 1;
  }

  int apply(Item& item) {
    // Dimensions of advanced indices stay together unless something else stands between them.
    if (is_advanced(item) || (has_advanced_ && item.kind == ItemKind::kInteger)) {
      if (!seen_) {
        first_place_ = result_dims_;
        seen_ = true;
      } else if (interrupted_) {
        scattered_ = true;
      }
    } else if (seen_) {
      interrupted_ = true;
    }
    switch (item.kind) {
      case ItemKind::kInteger:
        return apply_integer(item);
      case ItemKind::kSlice:
        return apply_slice(item);
      case ItemKind::kEllipsis:
        result_dims_ += hidden_;
        for (int i = 0; i < hidden_; ++i) keep_axis();
        return 1;
      case ItemKind::kNewAxis:
        add_axis(1, 0);
        ++result_dims_;
        return 1;
      case ItemKind::kIntegers:
        add_index(std::move(item.array));
        return 1;
      case ItemKind::kMask:
        return apply_mask(item);
      case ItemKind::kTruth:
        return apply_truth(item);
    }
    return 0;
  }

  int apply_integer(const Item& item) {
    const int64_t extent = source_.shape[axis_];
    const int64_t position = item.integer < 0 ? item.integer + extent : item.integer;
    if (position < 0 || position >= extent) return 0;
    plan_.view.data += position * source_.strides[axis_++];
    plan_.copies |= item.from_array;
    return 1;
  }

  int apply_slice(const Item& item) {
    Py_ssize_t start;
    Py_ssize_t stop;
    Py_ssize_t step;
    if (PySlice_Unpack(item.slice, &start, &stop, &step) < 0) return -1;
    const Py_ssize_t count = PySlice_AdjustIndices(source_.shape[axis_], &start, &stop, step);
    // NumPy leaves pointer and stride of an empty slice as they were.
    if (count > 0) plan_.view.data += start * source_.strides[axis_];
    add_axis(count, source_.strides[axis_] * (count > 0 ? step : 1));
    ++axis_;
    ++result_dims_;
    return 1;
  }

  void add_index(Array index) {
    plan_.axes.push_back(plan_.view.ndim());
    plan_.indices.push_back(std::move(index));
    keep_axis();
  }

  int apply_mask(const Item& item) {
    const Array& mask = item.array;
    for (int i = 0; i < mask.ndim(); ++i) {
      if (mask.shape()[i] != source_.shape[axis_ + i]) return 0;
    }
    for (Array& positions : evaluate::nonzero(mask.view())) add_index(std::move(positions));
    return 1;
  }

  // True or False: a new axis indexed by one position or by none.
  int apply_truth(const Item& item) {
    plan_.axes.push_back(plan_.view.ndim());
    plan_.indices.push_back(Array::zeros(Dims{item.integer}, DType::kInt64));
    add_axis(1, 0);
    return 1;
  }

  void finish(const std::vector<Item>& items) {
    if (has_advanced_) {
      plan_.kind = IndexKind::kAdvanced;
      plan_.result_axis = scattered_ ? 0 : first_place_;
      return;
    }
    const bool integers_only =
        std::all_of(items.begin(), items.end(), [](const Item& item) { return item.kind == ItemKind::kInteger; });
    plan_.kind = integers_only && plan_.view.ndim() == 0 ? IndexKind::kElement : IndexKind::kView;
  }

  const View& source_;
  IndexPlan& plan_;
  int axis_ = 0;         // next axis of the source
  int result_dims_ = 0;  // dimensions that basic items have given so far
  int hidden_ = 0;       // axes that an ellipsis stands for
  int first_place_ = 0;
  bool has_advanced_ = false;
  bool seen_ = false;
  bool interrupted_ = false;
  bool scattered_ = false;
};

}  // namespace

int plan_index(const View& view, PyObject* index, IndexPlan* plan) {
  return guarded([&]() -> int {
    const bool is_tuple = PyTuple_CheckExact(index);
    const Py_ssize_t count = is_tuple ? PyTuple_GET_SIZE(index) : 1;
    if (count > 2 * kMaxDims) return 1;
    std::vector<Item> items(static_cast<size_t>(count));
    for (Py_ssize_t i = 0; i < count; ++i) {
      const int taken = take_item(is_tuple ? PyTuple_GET_ITEM(index, i) : index, &items[static_cast<size_t>(i)]);
      if (taken != 1) return taken < 0 ? -1 : 1;
    }
    return Planner(view, plan).run(items);
  });
}

}  // namespace manycore::python
