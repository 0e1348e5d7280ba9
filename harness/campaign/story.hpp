// What a trace says to a person: its story, and where two of them part.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <assay/harness/trial/trace.hpp>

namespace assay {

/// A trace as lines for a person; a story leaves out the turns in which nothing is to be told.
enum class telling { story, everything };
/// Every event's line begins with its number, counted from 1; what explains the trial stands between them, without a number.
/// Turns are told with the names of their tasks. Where `passing` is given, the first event is marked that it does not have.
std::vector<std::string> tell(const trace& events, telling how = telling::story,
                              const trace* passing = nullptr);

/// The number of the first event that is a failure, counted from 1; 0 if there is none.
std::uint64_t first_failure(const trace& events);

/// In words, the first event in which two traces differ; choices themselves do not count. Empty if there is none.
std::string first_difference(const trace& one, const trace& other);
/// What is said of two trials of the same choices that came to different ends; where they part, if their traces do.
std::string outside_the_trial(const trace& one, const trace& other);

}  // namespace assay
