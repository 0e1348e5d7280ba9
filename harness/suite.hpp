// Implementations behind contracts, and contracts of one's own: all that one includes to begin with, beside the header of the
// contract. Link assay::suite, and assay::standard for the contracts of the standard.
//
// docs/plugging-in.md says how.
#pragma once

#include <assay/harness/campaign/suite.hpp>
#include <assay/harness/catalogue/catalogue.hpp>
#include <assay/harness/trial/plug.hpp>
