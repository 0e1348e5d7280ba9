// The testees of this program: which ones it knows, the subjects that they bring into the catalogue, and the running
// processes, one for each testee, started when a trial needs it.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <assay/harness/catalogue/catalogue.hpp>
#include <assay/harness/testee/message.hpp>
#include <assay/harness/testee/process.hpp>

namespace assay::testee {

inline constexpr std::chrono::nanoseconds default_patience = std::chrono::seconds(10);

/// How to start a testee.
struct launch {
  std::string command;  ///< for sh
  std::string folder;   ///< to run it in; empty: the current one
  std::chrono::nanoseconds patience = default_patience;
  std::string options;  ///< what one types to have it started, beside the verb; empty if its name does
};

/// A testee that has said hello.
struct known_testee {
  launch how;
  std::string line;  ///< its hello, as it was said
  hello said;        ///< the same, read
};

/// Makes a subject of one contract that stands for one in a testee. The testee outlives it.
using subject_factory = std::function<std::unique_ptr<subject_base>(
    std::string name, subject_traits traits, const known_testee& host, const std::string& subject)>;
/// Says how subjects of this contract are made; once for each contract, before main. `unseen` are those of its features that
/// cannot be seen through the protocol: no testee may claim them.
void add_factory(std::string_view contract, subject_factory make, std::vector<std::string> unseen = {});

/// Starts the testee, asks it for its hello, and puts its subjects into the catalogue as NAME.SUBJECT. Throws protocol_error
/// ("the testee 'COMMAND' ...") if it does not say one that can be used, or cannot be started.
const known_testee& introduce(const launch& how);
/// Whether one of this name was introduced.
bool is_known(std::string_view name);
/// The options that a command line needs which names this subject; empty if it needs none.
std::string options_for(std::string_view subject);
/// All that were introduced, as text for another process of this program, which calls `recall`: the subjects are the same
/// there, and nothing is started until a trial needs it.
std::string write_known();
void recall(std::string_view text);

/// The running process of this testee; started, and heard again, if it is not running. Throws protocol_error as `introduce`.
process& running(const known_testee& host);
/// The number of the next trial of the process.
std::int64_t next_trial();
/// Ends the process, which has broken; the next trial starts another.
void discard(const known_testee& host) noexcept;

}  // namespace assay::testee
