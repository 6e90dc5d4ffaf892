#include "interpret/kept_plans.h"

#include <utility>

#include "base/options.h"

namespace manycore::interpret {

KeptPlans& KeptPlans::of_this_thread() {
  thread_local KeptPlans own;
  return own;
}

void KeptPlans::forget_if_changed() {
  const Versions now = versions_now();
  if (now == versions_) return;
  plans_.clear();
  bytes_ = 0;
  versions_ = now;
}

std::unique_ptr<Prepared> KeptPlans::take(const program::Outline& outline) {
  forget_if_changed();
  for (size_t k = plans_.size(); k-- > 0;) {
    if (plans_[k].hash != outline.hash() || plans_[k].plan->outline != outline.words()) continue;
    std::unique_ptr<Prepared> found = std::move(plans_[k].plan);
    bytes_ -= plans_[k].bytes;
    plans_.erase(plans_.begin() + static_cast<ptrdiff_t>(k));
    return found;
  }
  return nullptr;
}

void KeptPlans::keep(std::unique_ptr<Prepared> prepared) {
  forget_if_changed();
  if (prepared->versions != versions_) return;  // they changed while it was made or ran
  const int64_t bytes = bytes_of(*prepared);
  const auto most = static_cast<size_t>(base::integer_option(base::Option::kept_plans));
  if (most == 0 || bytes > kMostBytes / 4) return;
  plans_.push_back({prepared->hash, bytes, std::move(prepared)});
  bytes_ += bytes;
  size_t gone = 0;
  for (; plans_.size() - gone > most || bytes_ > kMostBytes; ++gone) bytes_ -= plans_[gone].bytes;
  plans_.erase(plans_.begin(), plans_.begin() + static_cast<ptrdiff_t>(gone));
}

}  // namespace manycore::interpret
