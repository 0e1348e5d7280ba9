#include <assay/scenarios/planted/planted.hpp>

#include <assay/scenarios/planted/idioms.hpp>

namespace assay {

const std::vector<planted_bug>& planted_bugs() {
  static const std::vector<planted_bug> all = [] {
    std::vector<planted_bug> bugs;
    planted::add_wakeups(bugs);
    planted::add_atomicity(bugs);
    planted::add_sharing(bugs);
    planted::add_starvation(bugs);
    planted::add_in_step(bugs);
    planted::add_timers(bugs);
    planted::add_cancellation(bugs);
    planted::add_handing_over(bugs);
    planted::add_faults(bugs);
    planted::add_shutdown(bugs);
    return bugs;
  }();
  return all;
}

}  // namespace assay
