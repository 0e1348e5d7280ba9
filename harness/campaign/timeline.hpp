// A trial as a picture needs it: its events with the names of their tasks, in plain values.
#pragma once

#include <string>
#include <vector>

#include <assay/harness/trial/trace.hpp>

namespace assay {

struct timeline {
  std::vector<std::string> tasks;  ///< by number: 0 is the subject, 1 the scenario, then as they were started
  std::vector<event> events;
};

/// A trial that runs into a bound has thousands of events, which nobody looks at one by one: of more than a few thousand
/// the middle is left out, and a mark says so.
timeline make_timeline(const trace& events);

/// What each task of a trace is called.
std::vector<std::string> task_names(const trace& events);

}  // namespace assay
