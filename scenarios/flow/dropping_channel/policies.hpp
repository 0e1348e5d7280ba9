// The policies that scenarios and programs ask a dropping channel for.
#pragma once

#include <vector>

#include <assay/harness/catalogue/catalogue.hpp>
#include <assay/scenarios/flow/dropping_channel/contract.hpp>

namespace assay {

/// Those that the subject claims; its own, whichever that is, if it claims none.
inline std::vector<contract::drop_policy> policies_of(const maker<contract::dropping_channel>& make) {
  using enum contract::drop_policy;
  std::vector<contract::drop_policy> all;
  if (make.claims("oldest")) all.push_back(oldest);
  if (make.claims("newest")) all.push_back(newest);
  if (make.claims("reject")) all.push_back(reject);
  if (make.claims("conflate")) all.push_back(conflate);
  if (all.empty()) all.push_back(any);
  return all;
}

}  // namespace assay
