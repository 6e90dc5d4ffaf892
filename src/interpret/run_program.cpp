#include "interpret/run_program.h"

#include <cstdio>
#include <utility>

#include "base/options.h"
#include "interpret/kept_plans.h"
#include "interpret/run_alone.h"
#include "trace/counters.h"

namespace manycore::interpret {
namespace {

// Puts a plan back, also when running it ends early.
class Borrowed {
 public:
  explicit Borrowed(std::unique_ptr<Prepared> plan) : plan_(std::move(plan)) {}
  ~Borrowed() { KeptPlans::of_this_thread().keep(std::move(plan_)); }
  Borrowed(const Borrowed&) = delete;
  Borrowed& operator=(const Borrowed&) = delete;
  Prepared& operator*() const { return *plan_; }

 private:
  std::unique_ptr<Prepared> plan_;
};

// Two buffers over the same foreign bytes look like one array to some passes; the next two may not.
bool share_memory(const program::Bases& bases) {
  const auto& uses = bases.uses();
  for (size_t i = 0; i < uses.size(); ++i) {
    if (!uses[i].base->is_foreign()) continue;
    const std::byte *begin = uses[i].base->data(), *end = begin + uses[i].base->nbytes();
    for (size_t j = 0; j < i; ++j) {
      const std::byte* other = uses[j].base->data();
      if (uses[j].base->is_foreign() && begin < other + uses[j].base->nbytes() && other < end) return true;
    }
  }
  return false;
}

void plan_and_run(program::Program& program, const program::Outline& outline, bool keeps, const std::string& dump,
                  std::vector<Report>* reports) {
  keeps = keeps && outline.may_be_kept() && !share_memory(outline.bases());
  auto prepared = std::make_unique<Prepared>();
  fuse::Schedule schedule = fuse::make_schedule(program, outline.bases());
  if (dump.find("groups") != std::string::npos) std::fprintf(stderr, "groups\n%s", fuse::text(schedule).c_str());
  run_schedule(schedule, reports, prepared.get());
  if (!keeps) return;
  prepared->hash = outline.hash();
  prepared->outline = outline.words();
  KeptPlans::of_this_thread().keep(std::move(prepared));
}

}  // namespace

void run_program(program::Program& program, std::vector<Report>* reports) {
  const std::string dump = base::text_option(base::Option::dump);
  if (dump.empty() && run_alone(program, reports)) return;
  if (dump.find("program") != std::string::npos) std::fprintf(stderr, "program\n%s", program.text().c_str());
  thread_local program::Outline spare;  // with its memory; what a signal handler runs meanwhile makes another
  program::Outline outline = std::exchange(spare, {});
  outline.read(program);
  // What is shown is planned where it is shown.
  const bool keeps = dump.empty();
  std::unique_ptr<Prepared> known = keeps && outline.may_be_kept() ? KeptPlans::of_this_thread().take(outline) : nullptr;
  if (known == nullptr) {
    plan_and_run(program, outline, keeps, dump, reports);
  } else {
    trace::count_reused_plan();
    const Borrowed plan(std::move(known));
    run_prepared(*plan, program, outline.bases(), reports);
  }
  spare = std::move(outline);
}

}  // namespace manycore::interpret
