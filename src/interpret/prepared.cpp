#include "interpret/prepared.h"

#include "base/options.h"
#include "kernel/loops.h"

namespace manycore::interpret {
namespace {

template <class T>
int64_t bytes(const std::vector<T>& values) {
  return static_cast<int64_t>(values.capacity() * sizeof(T));
}

}  // namespace

Versions versions_now() { return {base::options_version(), kernel::table_version()}; }

int64_t bytes_of(const Prepared& prepared) {
  auto total = static_cast<int64_t>(sizeof(Prepared)) + bytes(prepared.outline) + bytes(prepared.unused) +
               bytes(prepared.replaced) + bytes(prepared.echoes) + bytes(prepared.units);
  for (const auto& unit : prepared.units) {
    const BlockProgram& program = unit->program;
    total += static_cast<int64_t>(sizeof(Unit)) + bytes(unit->members) + bytes(unit->frees) + bytes(program.steps) +
             bytes(program.numbers) + bytes(program.endings) + bytes(program.phases) + bytes(program.kept) +
             bytes(program.sources.operands) + bytes(program.sources.results) + bytes(program.sources.numbers);
  }
  return total;
}

void apply_passes(const Prepared& prepared, program::Program* program) {
  const auto at = [&](int i) -> program::Instruction& { return program->instructions[static_cast<size_t>(i)]; };
  for (const int i : prepared.unused) at(i).done = true;
  for (const fuse::Replaced& one : prepared.replaced) at(one.reader).inputs[one.input] = at(one.writer).output;
  for (const fuse::Echo& echo : prepared.echoes) at(echo.first).echoes.push_back(at(echo.second).origin);
}

}  // namespace manycore::interpret
