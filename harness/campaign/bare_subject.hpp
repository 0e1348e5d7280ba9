// A subject for scenarios that are their own: tests of one's own, planted programs.
#pragma once

#include <string>
#include <utility>

#include <assay/harness/catalogue/catalogue.hpp>

namespace assay {

/// Makes nothing; it only has the name that tokens and reports need. Its operations promise what their author says, and nothing
/// that contracts have in common: a test's own coroutine may well swallow a request.
class bare_subject final : public subject_base {
 public:
  bare_subject(std::string name, std::string contract)
      : subject_base(std::move(name), std::move(contract), subject_kind::reference,
                     {.declines = {{std::string(sticky_request), "its operations are the test's own"}}}) {}
};

}  // namespace assay
