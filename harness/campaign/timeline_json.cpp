#include <assay/harness/campaign/timeline_json.hpp>

#include <boost/json.hpp>
#include <stdexcept>

namespace assay {

namespace json = boost::json;

namespace {

event_kind kind_of(const std::string& name) {
  for (int i = 0; i <= static_cast<int>(event_kind::failure); ++i) {
    const auto kind = static_cast<event_kind>(i);
    if (to_string(kind) == name) return kind;
  }
  throw std::invalid_argument("no kind of event is called '" + name + "'");
}

}  // namespace

json::object to_json(const timeline& drawn) {
  json::array events;
  for (const event& one : drawn.events) {
    events.push_back({one.at.count(), one.task, to_string(one.kind), one.text});
  }
  return {{"tasks", json::value_from(drawn.tasks)}, {"events", std::move(events)}};
}

timeline timeline_from_json(const json::value& value) {
  timeline drawn;
  drawn.tasks = json::value_to<std::vector<std::string>>(value.at("tasks"));
  for (const json::value& one : value.at("events").as_array()) {
    const json::array& fields = one.as_array();
    drawn.events.push_back({std::chrono::nanoseconds(fields.at(0).to_number<std::int64_t>()),
                            fields.at(1).to_number<std::uint32_t>(),
                            kind_of(fields.at(2).as_string().c_str()), fields.at(3).as_string().c_str()});
  }
  return drawn;
}

}  // namespace assay
