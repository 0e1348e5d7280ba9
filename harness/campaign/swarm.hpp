// Random programs of some of the verbs.
#pragma once

#include <cstdint>
#include <span>

#include <assay/harness/choice/choice.hpp>
#include <assay/harness/trial/program.hpp>

namespace assay {

/// Draws a program of any length up to `steps_max`; two out of three know some of the verbs alone. What takes many calls of the same two or
/// three kinds is rare where all kinds are drawn (Groce et al., Swarm testing, ISSTA 2012). The first verb is always among
/// them: it is the one that puts something in. O(verbs + steps_max).
program draw_swarm(choice_stream& choices, const grammar& rules, std::span<const std::uint8_t> verbs);

}  // namespace assay
