// A timeline as JSON: for the way between processes, and for pages.
#pragma once

#include <boost/json/fwd.hpp>

#include <assay/harness/campaign/timeline.hpp>

namespace assay {

/// {"tasks": [NAME...], "events": [[NANOSECONDS, TASK, KIND, TEXT]...]}
boost::json::object to_json(const timeline& drawn);
/// Throws std::exception for what to_json did not make.
timeline timeline_from_json(const boost::json::value& value);

}  // namespace assay
