#include <assay/harness/campaign/timeline.hpp>

namespace assay {

namespace {

constexpr std::size_t events_max = 2000;

}  // namespace

std::vector<std::string> task_names(const trace& events) {
  std::vector<std::string> names{"the subject", "scenario"};
  for (const event& one : events.events()) {
    if (one.kind == event_kind::start) names.push_back(one.text);
  }
  return names;
}

timeline make_timeline(const trace& events) {
  timeline drawn{task_names(events), events.events()};
  std::vector<event>& all = drawn.events;
  if (all.size() <= events_max) return drawn;
  const std::size_t left_out = all.size() - events_max;
  const auto begin = all.begin() + events_max / 2;
  const event gap{begin->at, 0, event_kind::mark, std::to_string(left_out) + " events are left out here"};
  all.insert(all.erase(begin, begin + static_cast<std::ptrdiff_t>(left_out)), gap);
  return drawn;
}

}  // namespace assay
