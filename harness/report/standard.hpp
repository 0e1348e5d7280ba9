// The catalogue, printed: the contracts with their clauses, and the subjects.
#pragma once

#include <boost/json/object.hpp>
#include <iosfwd>
#include <string>
#include <vector>

#include <assay/harness/catalogue/catalogue.hpp>
#include <assay/harness/report/report.hpp>

namespace assay {

/// The documentation behind what a subject claims, and behind what it does not have by choice.
std::string sources_of(const subject_base& one);

/// Only contracts that match one of `contracts`; all if it is empty.
void write_list_text(std::ostream& out, const catalogue& all, const std::vector<std::string>& contracts,
                     const text_style& style);
void write_list_json(std::ostream& out, const catalogue& all, const std::vector<std::string>& contracts);
boost::json::object list_to_json(const catalogue& all, const std::vector<std::string>& contracts);
/// One line per subject and clause that applies to it, for the build: SUBJECT CONTRACT CLAUSE KIND.
void write_list_tests(std::ostream& out, const catalogue& all, const std::vector<std::string>& contracts);

void write_standard_text(std::ostream& out, const catalogue& all, const std::vector<std::string>& contracts,
                         const text_style& style);
void write_standard_markdown(std::ostream& out, const catalogue& all,
                             const std::vector<std::string>& contracts);
/// A page that needs no script: contents, patterns, clauses with an anchor each.
void write_standard_html(std::ostream& out, const catalogue& all, const std::vector<std::string>& contracts);
void write_standard_json(std::ostream& out, const catalogue& all, const std::vector<std::string>& contracts);
boost::json::object standard_to_json(const catalogue& all, const std::vector<std::string>& contracts);

}  // namespace assay
