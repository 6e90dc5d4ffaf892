#include "bindings/tasks/names_main.h"

#include <cstdint>
#include <cstring>
#include <optional>
#include <vector>

namespace manycore::python::tasks {
namespace {

constexpr std::string_view kMain = "__main__";

// Bytes of an instruction's own argument, and of the length that stands before an argument of any size.
struct Shape {
  int fixed;
  int length;
};

// The instructions that protocol 5 uses (Lib/pickletools.py of CPython describes them).
std::optional<Shape> shape_of(unsigned char code) {
  switch (code) {
    case 'K':
    case 'h':
    case 0x80:
    case 0x82:
    case 'q':
      return Shape{1, 0};
    case 'M':
    case 0x83:
      return Shape{2, 0};
    case 'J':
    case 'j':
    case 0x84:
    case 'r':
      return Shape{4, 0};
    case 'G':
    case 0x95:
      return Shape{8, 0};
    case 'C':
    case 0x8c:
    case 0x8a:
      return Shape{0, 1};
    case 'B':
    case 'X':
    case 0x8b:
      return Shape{0, 4};
    case 0x8d:
    case 0x8e:
    case 0x96:
      return Shape{0, 8};
    case 'N':
    case 0x88:
    case 0x89:
    case ']':
    case 'a':
    case 'e':
    case 'l':
    case ')':
    case 't':
    case 0x85:
    case 0x86:
    case 0x87:
    case '}':
    case 'd':
    case 's':
    case 'u':
    case 0x8f:
    case 0x90:
    case 0x91:
    case '0':
    case '2':
    case '(':
    case '1':
    case 0x94:
    case 0x93:
    case 'R':
    case 'b':
    case 'o':
    case 0x81:
    case 0x92:
    case '.':
    case 0x97:
    case 0x98:
    case 'Q':
      return Shape{0, 0};
    default:
      return std::nullopt;
  }
}

uint64_t number(const char* from, int bytes) {
  uint64_t value = 0;
  for (int i = bytes - 1; i >= 0; --i) value = value << 8 | static_cast<unsigned char>(from[i]);
  return value;
}

}  // namespace

bool names_main(std::string_view pickle) {
  if (memmem(pickle.data(), pickle.size(), kMain.data(), kMain.size()) == nullptr) return false;
  std::vector<bool> memo;             // by number: is it the word?
  bool last = false, before = false;  // the two values that were pushed last: a name is looked up by its module and itself
  for (size_t place = 0; place < pickle.size();) {
    const auto code = static_cast<unsigned char>(pickle[place++]);
    const std::optional<Shape> shape = shape_of(code);
    if (!shape) return true;
    const size_t head = static_cast<size_t>(shape->fixed + shape->length);
    if (pickle.size() - place < head) return true;
    const uint64_t value = number(pickle.data() + place, shape->fixed + shape->length);
    place += head;
    const uint64_t size = shape->length == 0 ? 0 : value;
    if (pickle.size() - place < size) return true;
    const std::string_view text = pickle.substr(place, size);
    place += size;
    if (code == 0x94) {
      memo.push_back(last);
      continue;
    }
    if (code == 0x80 || code == 0x95) continue;
    if (code == 0x93 && before) return true;
    before = last;
    if (code == 'h' || code == 'j') {
      if (value >= memo.size()) return true;
      last = memo[value];
    } else {
      last = (code == 0x8c || code == 'X') && text == kMain;
    }
  }
  return false;
}

}  // namespace manycore::python::tasks
