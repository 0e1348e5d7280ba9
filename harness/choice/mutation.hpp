// Mutation: a new schedule that is a small change of one that has been run.
//
// The operators are those of AFL and libFuzzer, over deviations from first-in-first-out instead of bytes: set one or a
// run of them, drop one, change one, shift what comes behind a point, splice two schedules, cut the tail and go on at
// random; and, since cancels and faults are few, move one of them to a neighbouring place. One to four are applied.
#pragma once

#include <cstdint>
#include <memory>

#include <assay/harness/choice/choice.hpp>
#include <assay/harness/choice/strategy.hpp>

namespace assay {

/// The source of one trial. It is read leniently: where the run asks for something else than `parent`'s run did, a
/// deviation waits for the next choice of its kind. Behind `parent`'s end it goes on first-in-first-out, or for a while
/// at random. `other` is what may be spliced in. Equal arguments give equal answers on every platform.
std::unique_ptr<choice_source> mutate(const schedule& parent, const schedule& other, std::uint64_t seed,
                                      const run_shape& shape);

}  // namespace assay
