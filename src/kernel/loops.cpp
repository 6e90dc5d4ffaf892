#include "kernel/loops.h"

#include <atomic>
#include <mutex>

#include "base/check.h"
#include "base/lasting.h"
#include "kernel/table.h"

namespace manycore::kernel {

const Table* detail::table = nullptr;
void (*detail::fill_mathematics)(Builder& builder) = nullptr;

namespace {

std::mutex building;
std::atomic<uint64_t> version{0};

Table& storage() {
  static constinit base::Lasting<Table> table;
  return table.get();
}

void fill_table() {
  Table& table = storage();
  table = Table{};
  Builder builder(table);
  fill_arithmetic(builder);
  fill_integers(builder);
  fill_integer_division(builder);
  fill_division(builder);
  fill_parts(builder);
  fill_order(builder);
  fill_logic(builder);
  fill_complex(builder);
  fill_complex_product(builder);
  fill_casts(builder);
  fill_select(builder);
  fill_stream(builder);
  fill_transpose(builder);
  if (detail::fill_mathematics) detail::fill_mathematics(builder);
  fill_half(builder);
  __atomic_store_n(&detail::table, &table, __ATOMIC_RELEASE);
  version.fetch_add(1, std::memory_order_release);
}

}  // namespace

const Table& detail::build_table() {
  const std::lock_guard<std::mutex> lock(building);
  if (const Table* built = __atomic_load_n(&detail::table, __ATOMIC_ACQUIRE)) return *built;
  fill_table();
  return *detail::table;
}

void rebuild_table() {
  const std::lock_guard<std::mutex> lock(building);
  if (detail::table) fill_table();
}

void set_loop(op::Op operation, int slot, const Loop& loop) {
  table();
  MANYCORE_CHECK(slot >= 0 && slot < kSlotCount && loop.run != nullptr);
  storage().loops[static_cast<int>(operation)][slot] = loop;
  version.fetch_add(1, std::memory_order_release);
}

uint64_t table_version() {
  table();  // the first use changes it too
  return version.load(std::memory_order_acquire);
}

}  // namespace manycore::kernel
