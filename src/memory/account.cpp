#include "memory/account.h"

#include <string>

#include "base/lasting.h"
#include "base/options.h"
#include "manycore/errors.h"
#include "os/memory_limit.h"

namespace manycore::memory {

Account& Account::arrays() {
  static constinit base::Lasting<Account> instance;
  return instance.get([] { return new Account("arrays"); });
}

void Account::refresh_limit() {
  int64_t option = base::integer_option(base::Option::memory_limit);
  if (option == option_.load(std::memory_order_acquire)) return;
  // Two threads may compute this at once; both arrive at the same answer.
  os::MemoryLimit machine = os::memory_limit();
  if (option > 0) {
    limit_.store(option, std::memory_order_relaxed);
    source_.store("option memory_limit", std::memory_order_relaxed);
  } else {
    // A percentage is stored as a negative number.
    double share = option < 0 ? static_cast<double>(-option) / 100 : 1;
    limit_.store(static_cast<int64_t>(static_cast<double>(machine.bytes) * share), std::memory_order_relaxed);
    source_.store(option < 0 ? "option memory_limit" : machine.source, std::memory_order_relaxed);
  }
  option_.store(option, std::memory_order_release);
}

int64_t Account::limit() {
  refresh_limit();
  return limit_.load(std::memory_order_relaxed);
}

const char* Account::limit_source() {
  refresh_limit();
  return source_.load(std::memory_order_relaxed);
}

bool Account::try_charge(int64_t bytes) {
  int64_t cap = limit();
  int64_t held = held_.load(std::memory_order_relaxed);
  do {
    if (bytes > cap - held) return false;
  } while (!held_.compare_exchange_weak(held, held + bytes, std::memory_order_relaxed));
  int64_t now = held + bytes;
  int64_t peak = peak_.load(std::memory_order_relaxed);
  while (now > peak && !peak_.compare_exchange_weak(peak, now, std::memory_order_relaxed)) {
  }
  return true;
}

void Account::fail(const char* operation, int64_t asked, int64_t held) {
  bool hopeless = asked > limit();
  throw ResourceError(std::string(operation) + ": " + os::bytes_text(asked) + " asked, account \"" + name_ + "\" holds " +
                      os::bytes_text(held) + " of its limit " + os::bytes_text(limit()) + " (" + limit_source() + "); try " +
                      (hopeless ? "a smaller shape or dtype, or work in pieces"
                                : "deleting arrays that are no longer needed, or work in pieces") +
                      ", or raise --memory-limit");
}

}  // namespace manycore::memory
