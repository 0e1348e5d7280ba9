// The command line of `assay` over the wrong implementations and their twins, and one verb more: `table` prints what is
// wrong with which, as JSON.
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <iostream>
#include <string_view>
#include <vector>

#include <assay/harness/campaign/suite.hpp>

#include "wrong.hpp"

namespace assay::wrong {

std::vector<entry>& entries() {
  static std::vector<entry> all;
  return all;
}

namespace {

boost::json::array as_json() {
  boost::json::array all;
  for (const entry& one : entries()) {
    boost::json::array clauses;
    for (const expected_failure& each : one.clauses) {
      boost::json::object clause;
      clause["clause"] = each.clause;
      clause["says"] = each.message;
      clauses.push_back(std::move(clause));
    }
    boost::json::object line;
    line["contract"] = one.contract;
    line["subject"] = one.name;
    line["twin"] = one.twin;
    line["what"] = one.what;
    line["clauses"] = std::move(clauses);
    line["escapes"] = one.escapes;
    all.push_back(std::move(line));
  }
  return all;
}

}  // namespace
}  // namespace assay::wrong

int main(int argc, char** argv) {
  if (argc == 2 && std::string_view(argv[1]) == "table") {
    std::cout << boost::json::serialize(assay::wrong::as_json()) << '\n';
    return 0;
  }
  assay::catalogue::instance().take_offered();
  assay::suite suite;
  return suite.run(argc, argv);
}
