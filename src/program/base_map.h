// BaseMap: something about each base of a program. Most programs have few bases: the first dozen lie in the map itself and are looked
// through, which costs no memory and less time than a hash. Not thread-safe; references stay valid until something is added.
#pragma once

#include <array>
#include <cstddef>
#include <unordered_map>
#include <utility>
#include <vector>

#include "manycore/buffer.h"

namespace manycore::program {

template <class T>
class BaseMap {
 public:
  // Null where nothing is known of it.
  T* find(const Buffer* base) {
    for (size_t k = 0; k < few_count_; ++k) {
      if (few_[k].first == base) return &few_[k].second;
    }
    if (positions_.empty()) return nullptr;
    const auto found = positions_.find(base);
    return found == positions_.end() ? nullptr : &more_[found->second].second;
  }
  const T* find(const Buffer* base) const { return const_cast<BaseMap*>(this)->find(base); }
  bool contains(const Buffer* base) const { return find(base) != nullptr; }

  T& operator[](Buffer* base) {
    if (T* known = find(base)) return *known;
    if (few_count_ < few_.size()) {
      few_[few_count_] = {base, T{}};
      return few_[few_count_++].second;
    }
    positions_.emplace(base, more_.size());
    return more_.emplace_back(base, T{}).second;
  }

  // The value that the base has, or now gets, and whether it is new.
  std::pair<T, bool> try_emplace(Buffer* base, T value) {
    if (const T* known = find(base)) return {*known, false};
    (*this)[base] = value;
    return {value, true};
  }

  void clear() {
    few_count_ = 0;
    more_.clear();
    positions_.clear();
  }

  void erase(const Buffer* base) {
    for (size_t k = 0; k < few_count_; ++k) {
      if (few_[k].first != base) continue;
      few_[k] = std::move(few_[--few_count_]);
      return;
    }
    const auto found = positions_.find(base);
    if (found == positions_.end()) return;
    more_[found->second] = {};
    positions_.erase(found);
  }

  // body(base, value)
  template <class F>
  void for_each(F&& body) {
    for (size_t k = 0; k < few_count_; ++k) body(few_[k].first, few_[k].second);
    for (auto& [base, value] : more_) {
      if (base != nullptr) body(base, value);
    }
  }

  bool empty() const { return few_count_ == 0 && positions_.empty(); }

 private:
  std::array<std::pair<Buffer*, T>, 12> few_;
  size_t few_count_ = 0;
  std::vector<std::pair<Buffer*, T>> more_;
  std::unordered_map<const Buffer*, size_t> positions_;  // in more_
};

}  // namespace manycore::program
