// A replay token: one trial as one line of printable text.
//
//   assay1:BUILD:SUBJECT:SCENARIO:SETTINGS:SCHEDULE:CHECK
//
// BUILD names the build that made it, SETTINGS the trial's settings as comma-separated key=value pairs,
// SCHEDULE the deviations from first-in-first-out (varints, base64url), CHECK guards against a token that was
// cut or mistyped. The format is stable: a token is read by every later version or refused with a reason.
#pragma once

#include <span>
#include <stdexcept>
#include <string>
#include <string_view>

#include <assay/harness/choice/choice.hpp>

namespace assay {

/// A token that cannot be read; the text says where and why.
class malformed_token : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

struct replay_token {
  std::string build;     ///< for example "0.1.0-gcc12-5f3a9c01"
  std::string subject;   ///< for example "reference"
  std::string scenario;  ///< "contract/clause" or "contract/clause/variant"
  std::string settings;  ///< for example "order=any,tier=sim"
  schedule plan;

  bool operator==(const replay_token&) const = default;
};

/// One line of printable text without blanks. Names may hold anything but control characters; what the format
/// needs for itself is escaped as %XX.
std::string encode(const replay_token& token);

/// The same without the schedule and the check, up to the colon before them: what is known of a token before its trial runs.
std::string encode_head(const replay_token& token);
/// Writes the token with this head, of a run that made these choices. Takes no memory and no lock, so that a handler of
/// signals may call it.
void write_token(std::string_view head, std::span<const choice> made, void (*out)(void* to, char),
                 void* to) noexcept;

/// Reads a token. Throws malformed_token.
replay_token decode_token(std::string_view text);

/// A schedule alone, as SCHEDULE stands in a token.
std::string encode_schedule(const schedule& plan);
/// Throws malformed_token.
schedule decode_schedule(std::string_view text);

/// Reads a token as the command line takes it: the token itself, or `@FILE` whose first line is one.
/// Throws malformed_token, also for a file that cannot be read or holds several.
replay_token read_token(std::string_view text);

}  // namespace assay
