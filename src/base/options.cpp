#include "base/options.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cctype>
#include <charconv>
#include <cstdlib>
#include <mutex>
#include <numeric>
#include <utility>

#include "base/lasting.h"

namespace manycore::base {
namespace {

constexpr OptionRow kRows[] = {
#define MANYCORE_OPTION(name, type, fallback, help) {#name, #type, fallback, help},
#include "base/options.def"
#undef MANYCORE_OPTION
};
constexpr int kCount = static_cast<int>(Option::count_);

std::string environment_name(std::string_view name) {
  std::string result = "MANYCORE_";
  for (char c : name) result += static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return result;
}

std::string lower(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(), [](unsigned char c) { return std::tolower(c); });
  return result;
}

[[noreturn]] void fail_value(const std::string& who, const char* expected, std::string_view value) {
  throw UserError(ErrorKind::kValue, who + ": expected " + expected + ", got '" + std::string(value) + "'");
}

int64_t parse_integer(const std::string& who, std::string_view value) {
  int64_t result = 0;
  auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), result);
  if (error != std::errc() || end != value.data() + value.size() || result < 0)
    fail_value(who, "a whole number that is not negative", value);
  return result;
}

int64_t parse_boolean(const std::string& who, std::string_view value) {
  std::string text = lower(value);
  if (text == "1" || text == "true" || text == "yes" || text == "on") return 1;
  if (text == "0" || text == "false" || text == "no" || text == "off" || text.empty()) return 0;
  fail_value(who, "1, 0, true, false, yes, no, on or off", value);
}

int64_t parse_size(const std::string& who, std::string_view value) {
  constexpr const char* kExpected = "bytes such as 4000000, 512M, 1.5G, 2T, or a percentage of the machine's such as 50%";
  double number = 0;
  auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  std::string suffix = lower(std::string_view(end, static_cast<size_t>(value.data() + value.size() - end)));
  if (error != std::errc() || !(number >= 0) || number > 9e18) fail_value(who, kExpected, value);
  if (suffix == "%") {
    if (number > 100 || number <= 0) fail_value(who, kExpected, value);
    return -std::max<int64_t>(1, static_cast<int64_t>(number));
  }
  if (!suffix.empty() && suffix.back() == 'b') suffix.pop_back();
  if (!suffix.empty() && suffix.back() == 'i') suffix.pop_back();
  constexpr std::string_view kSuffixes = "kmgt";
  if (suffix.size() > 1 || (suffix.size() == 1 && kSuffixes.find(suffix[0]) == kSuffixes.npos)) fail_value(who, kExpected, value);
  if (suffix.size() == 1) number *= static_cast<double>(int64_t{1} << (10 * (kSuffixes.find(suffix[0]) + 1)));
  if (number > 9e18) fail_value(who, kExpected, value);
  return static_cast<int64_t>(number);
}

// Takes the next of the names separated by commas, without the blanks in front.
std::string_view next_name(std::string_view* rest) {
  const size_t end = std::min(rest->find(','), rest->size());
  std::string_view name = rest->substr(0, end);
  while (!name.empty() && name.front() == ' ') name.remove_prefix(1);
  rest->remove_prefix(std::min(end + 1, rest->size()));
  return name;
}

bool names(std::string_view choices, std::string_view value) {
  while (!choices.empty()) {
    if (next_name(&choices) == value) return true;
  }
  return false;
}

// A text row may list its choices in its type: choice(auto, sse4), or any_of(a, b) where several may be given, or none.
void check_choice(const std::string& who, std::string_view type, std::string_view value) {
  const size_t open = type.find('(');
  if (open == type.npos) return;
  const bool several = type.substr(0, open) == "any_of";
  const std::string_view choices = type.substr(open + 1, type.size() - open - 2);
  if (!several && !names(choices, value)) fail_value(who, ("one of " + std::string(choices)).c_str(), value);
  for (std::string_view rest = value; several && !rest.empty();) {
    const std::string_view name = next_name(&rest);
    if (!names(choices, name)) fail_value(who, ("any of " + std::string(choices) + ", separated by commas").c_str(), name);
  }
}

// The table of values. Numbers are read without a lock; texts are few and read rarely.
class Table {
 public:
  Table() {
    for (int i = 0; i < kCount; ++i) {
      std::string variable = environment_name(kRows[i].name);
      const char* value = std::getenv(variable.c_str());
      store(i, kRows[i].name, kRows[i].fallback, "default");
      if (value == nullptr) continue;
      try {
        store(i, variable, value, "environment " + variable);
      } catch (const UserError& error) {  // the library is being loaded: nobody could catch it; check_environment says it
        if (complaint_.empty()) complaint_ = error.what();
      }
    }
  }

  void store(int i, const std::string& who, std::string_view value, std::string source) {
    std::string_view type = kRows[i].type;
    int64_t number = 0;
    if (type == "integer")
      number = parse_integer(who, value);
    else if (type == "boolean")
      number = parse_boolean(who, value);
    else if (type == "size")
      number = parse_size(who, value);
    else
      check_choice(who, type, value);
    std::lock_guard lock(mutex_);
    texts_[i] = value;
    sources_[i] = std::move(source);
    numbers_[i].store(number, std::memory_order_relaxed);
    version_.fetch_add(1, std::memory_order_release);
  }

  uint64_t version() const { return version_.load(std::memory_order_acquire); }
  int64_t number(int i) const { return numbers_[i].load(std::memory_order_relaxed); }
  std::string text(int i) {
    std::lock_guard lock(mutex_);
    return texts_[i];
  }
  std::string source(int i) {
    std::lock_guard lock(mutex_);
    return sources_[i];
  }
  const std::string& complaint() const { return complaint_; }

 private:
  std::mutex mutex_;
  std::array<std::atomic<int64_t>, kCount> numbers_{};
  std::array<std::string, kCount> texts_;
  std::array<std::string, kCount> sources_;
  std::string complaint_;
  std::atomic<uint64_t> version_{0};
};

// Leaked on purpose: threads may still read options while the process ends.
Table& table() {
  static constinit Lasting<Table> instance;
  return instance.get();
}

size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), 0);
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = std::exchange(row[0], i);
    for (size_t j = 1; j <= b.size(); ++j)
      diagonal = std::exchange(row[j], std::min({row[j] + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1])}));
  }
  return row[b.size()];
}

}  // namespace

std::vector<OptionRow> option_rows() { return {std::begin(kRows), std::end(kRows)}; }

int64_t integer_option(Option option) { return table().number(static_cast<int>(option)); }
std::string text_option(Option option) { return table().text(static_cast<int>(option)); }
uint64_t options_version() { return table().version(); }
std::string option_source(Option option) { return table().source(static_cast<int>(option)); }

void check_environment() {
  if (!table().complaint().empty()) throw UserError(ErrorKind::kValue, table().complaint());
}

void set_option(std::string_view name, std::string_view value) {
  std::string wanted(name);
  std::replace(wanted.begin(), wanted.end(), '-', '_');
  for (int i = 0; i < kCount; ++i) {
    if (wanted == kRows[i].name) return table().store(i, wanted, value, "set");
  }
  auto nearest = std::min_element(std::begin(kRows), std::end(kRows), [&](const OptionRow& a, const OptionRow& b) {
    return edit_distance(wanted, a.name) < edit_distance(wanted, b.name);
  });
  std::string choices;
  for (const OptionRow& row : kRows) choices += (choices.empty() ? "" : ", ") + std::string(row.name);
  throw UserError(ErrorKind::kValue, "set_option: unknown option '" + std::string(name) + "', expected one of " + choices +
                                         "; try '" + nearest->name + "'");
}

}  // namespace manycore::base
