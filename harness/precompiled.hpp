// What nearly every translation unit of the harness and the scenarios includes. virtual_time.hpp must be
// first.
#pragma once

#include <assay/harness/sim/virtual_time.hpp>

#include <algorithm>
#include <boost/asio.hpp>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <assay/harness/catalogue/catalogue.hpp>
#include <assay/harness/trial/trial.hpp>
