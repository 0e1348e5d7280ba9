// Pictures of failing ASSAY_TESTs. A program that links the suite has this file, see harness/CMakeLists.txt; one that links what
// tests need and no more has none, and no use for Boost.JSON.
#include <fstream>

#include <assay/harness/campaign/own_test.hpp>
#include <assay/harness/report/html.hpp>
#include <assay/harness/report/perfetto.hpp>

namespace assay::detail {

namespace {

bool draw(const std::string& stem, const campaign_result& seen, const std::string& replay) {
  std::ofstream page(stem + ".html");
  write_timeline_html(page, seen, replay);
  std::ofstream events(stem + ".perfetto.json");
  write_perfetto(events, seen);
  return page.flush().good() && events.flush().good();
}

}  // namespace

}  // namespace assay::detail

// What the linker is told to look for. NOLINTNEXTLINE: found by its name
extern "C" const bool assay_own_pictures;
const bool assay_own_pictures = [] {
  assay::detail::write_pictures = &assay::detail::draw;
  return true;
}();
