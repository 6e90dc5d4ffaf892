// Dims: a short vector of extents or strides. Up to four dimensions live inside the object (no allocation); up to
// kMaxDims on the heap. A value type; not thread-safe for writing.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <span>

namespace manycore {

inline constexpr int kMaxDims = 64;  // NumPy 2's limit

class Dims {
 public:
  Dims() noexcept : size_(0) {}
  explicit Dims(int size, int64_t value = 0) : size_(0) {
    resize(size);
    std::fill_n(data(), size, value);
  }
  Dims(std::initializer_list<int64_t> values) : size_(0) { assign(values.begin(), static_cast<int>(values.size())); }
  explicit Dims(std::span<const int64_t> values) : size_(0) { assign(values.data(), static_cast<int>(values.size())); }
  Dims(const Dims& other) : size_(0) { assign(other.data(), other.size_); }
  Dims(Dims&& other) noexcept : size_(other.size_) {
    std::memcpy(&storage_, &other.storage_, sizeof storage_);
    other.size_ = 0;
  }
  Dims& operator=(const Dims& other) {
    if (this != &other) assign(other.data(), other.size_);
    return *this;
  }
  Dims& operator=(Dims&& other) noexcept {
    if (this != &other) {
      release();
      size_ = other.size_;
      std::memcpy(&storage_, &other.storage_, sizeof storage_);
      other.size_ = 0;
    }
    return *this;
  }
  ~Dims() { release(); }

  int size() const { return size_; }
  bool empty() const { return size_ == 0; }
  int64_t* data() { return size_ <= kInline ? storage_.inside : storage_.outside; }
  const int64_t* data() const { return size_ <= kInline ? storage_.inside : storage_.outside; }
  int64_t* begin() { return data(); }
  int64_t* end() { return data() + size_; }
  const int64_t* begin() const { return data(); }
  const int64_t* end() const { return data() + size_; }
  int64_t& operator[](int i) { return data()[i]; }
  int64_t operator[](int i) const { return data()[i]; }
  int64_t back() const { return data()[size_ - 1]; }
  operator std::span<const int64_t>() const { return {data(), static_cast<size_t>(size_)}; }

  // Contents are kept up to the smaller size; new entries are uninitialised.
  void resize(int size) {
    if (size == size_) return;
    if (size <= kInline && size_ <= kInline) {
      size_ = size;
      return;
    }
    Dims old(std::move(*this));
    size_ = size;
    if (size > kInline) storage_.outside = new int64_t[size];
    std::copy_n(old.data(), std::min(size, old.size_), data());
  }
  void push_back(int64_t value) {
    resize(size_ + 1);
    data()[size_ - 1] = value;
  }
  void insert(int position, int64_t value) {
    push_back(0);
    std::copy_backward(data() + position, data() + size_ - 1, data() + size_);
    data()[position] = value;
  }
  void erase(int position) {
    std::copy(data() + position + 1, data() + size_, data() + position);
    resize(size_ - 1);
  }
  friend bool operator==(const Dims& a, const Dims& b) { return std::equal(a.begin(), a.end(), b.begin(), b.end()); }

 private:
  static constexpr int kInline = 4;

  void assign(const int64_t* values, int size) {
    resize(size);
    std::copy_n(values, size, data());
  }
  void release() {
    if (size_ > kInline) delete[] storage_.outside;
    size_ = 0;
  }

  union {
    int64_t inside[kInline];
    int64_t* outside;
  } storage_;
  int32_t size_;
};

}  // namespace manycore
