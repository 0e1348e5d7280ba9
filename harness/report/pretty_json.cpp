#include <assay/harness/report/pretty_json.hpp>

#include <boost/json.hpp>
#include <ostream>
#include <string>

namespace assay {

namespace {

namespace json = boost::json;

void write(std::ostream& out, const json::value& value, std::size_t depth);

template <class Range, class WriteOne>
void write_members(std::ostream& out, const Range& range, std::size_t depth, char open, char close,
                   WriteOne write_one) {
  out << open;
  bool first = true;
  for (const auto& one : range) {
    out << (first ? "\n" : ",\n") << std::string((depth + 1) * 2, ' ');
    first = false;
    write_one(one);
  }
  if (!first) out << '\n' << std::string(depth * 2, ' ');
  out << close;
}

void write(std::ostream& out, const json::value& value, std::size_t depth) {
  if (const json::object* const object = value.if_object()) {
    write_members(out, *object, depth, '{', '}', [&](const json::key_value_pair& member) {
      out << json::serialize(json::string(member.key())) << ": ";
      write(out, member.value(), depth + 1);
    });
  } else if (const json::array* const array = value.if_array()) {
    write_members(out, *array, depth, '[', ']', [&](const json::value& one) { write(out, one, depth + 1); });
  } else {
    out << json::serialize(value);
  }
}

}  // namespace

void write_pretty(std::ostream& out, const json::value& value) { write(out, value, 0); }

}  // namespace assay
