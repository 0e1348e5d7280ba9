// JSON as people read it in a diff: one member a line.
#pragma once

#include <boost/json/value.hpp>
#include <iosfwd>

namespace assay {

/// Writes `value` with two blanks per level, without a final line's end.
void write_pretty(std::ostream& out, const boost::json::value& value);

}  // namespace assay
