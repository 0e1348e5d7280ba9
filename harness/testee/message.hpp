// The testee protocol's messages as plain values: what a testee's lines say, and what is wrong with those that say
// something else. See PROTOCOL.md.
#pragma once

#include <boost/json.hpp>
#include <chrono>
#include <cstdint>
#include <exception>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <assay/harness/trial/outcome.hpp>

namespace assay::testee {

/// Versions of the protocol that are spoken here.
inline constexpr std::int64_t protocol_oldest = 1;
inline constexpr std::int64_t protocol_newest = 2;
inline constexpr std::size_t line_bytes_max = std::size_t{16} << 20U;

/// A testee did what the protocol forbids. The text goes on after "the testee NAME".
class protocol_error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// One that is a mistake of its adapter, and that a plug check looks for: an outcome that is none, a claimed feature without
/// its method, an item with an id that was never handed in.
class adapter_error final : public protocol_error {
 public:
  using protocol_error::protocol_error;
};

/// A wish to end the process, as it crosses the protocol (outcome `exit`); the contract that has one translates it.
class exit_wish : public std::exception {
 public:
  explicit exit_wish(int status) : status_(status), text_("exit " + std::to_string(status)) {}
  int status() const noexcept { return status_; }
  const char* what() const noexcept override { return text_.c_str(); }

 private:
  int status_;
  std::string text_;
};

/// A subject that a testee hosts.
struct subject_info {
  std::string name;
  std::string contract;
  std::vector<std::string> features;
  std::map<std::string, std::string> declines;  ///< features, and where it says that it does not have them
  std::string cites;
  bool retains = false;  ///< answers the query `retained`
  bool operator==(const subject_info&) const = default;
};

/// What a testee says of itself.
struct hello {
  std::int64_t protocol = protocol_oldest;  ///< of which it speaks this version
  std::string name;
  std::string language;
  std::map<std::string, std::string> libraries;
  bool turns = false;
  bool seeded = false;
  bool drops = false;
  bool looks = false;       ///< tells at the end of every instant what the queries say that a `make` named
  bool checkpoint = false;  ///< has a caller that goes on after its call, see `then`
  bool late = false;        ///< can be told of a time at which several of its timers are overdue
  std::vector<subject_info> subjects;
  bool operator==(const hello&) const = default;
};
/// What it says of the subject with this name. Throws protocol_error if it hosts none.
const subject_info& subject_of(const hello& said, std::string_view name);
/// "Python 3.11.2, asyncio 3.11.2".
std::string versions(const hello& said);

/// How something ended: the value, or what to throw.
struct ending {
  boost::json::value value;
  std::exception_ptr failure;
  std::optional<outcome> then;  ///< of the caller's next step, if it was asked for and there was one
  /// Known here, and not told: the call was asked to stop while it ran, beyond doubt.
  bool met_request = false;
};

enum class event_kind { done, callback, cancel, tell, unhandled, refused };

struct event {
  event_kind kind{};
  std::int64_t id = 0;  ///< of the call, or of the callback
  std::int64_t on = 0;  ///< the object: callback, tell
  std::string name;     ///< of the callback or what is told; why it was refused
  boost::json::object args;
  ending how;  ///< done, unhandled
};

/// The answer to an instant.
struct answer {
  std::vector<event> events;
  std::optional<std::chrono::nanoseconds> deadline;
  std::vector<std::chrono::nanoseconds> later;            ///< of further timers, in order
  std::map<std::int64_t, boost::json::object> looked_at;  ///< by object: what its queries say now
};

// What a line says. Each throws protocol_error that names what is wrong, also for a line that is no JSON, and for
// {"error": TEXT}, a testee's own complaint.

hello read_hello(std::string_view line);
void read_begun(std::string_view line, std::int64_t trial);
answer read_answer(std::string_view line, std::int64_t trial, std::int64_t number);
/// What is left over.
std::vector<std::string> read_ended(std::string_view line, std::int64_t trial);

/// An outcome of the protocol. Throws protocol_error.
ending read_outcome(const boost::json::value& text);
/// The outcome that a null pointer (with `value`) or an exception is.
boost::json::object write_outcome(const std::exception_ptr& failure, boost::json::value value = nullptr);
boost::json::object write_outcome(const outcome& what);
/// What to throw for an outcome; null for a value.
std::exception_ptr to_exception(const outcome& what);

// A member of an object. Throws protocol_error with the member's name.

const boost::json::value& member_in(const boost::json::object& all, std::string_view member);
const boost::json::array& list_in(const boost::json::object& all, std::string_view member);
bool flag_in(const boost::json::object& all, std::string_view member);  ///< false if it is not there
std::int64_t number_in(const boost::json::object& all, std::string_view member);
std::string text_in(const boost::json::object& all, std::string_view member);

// The value itself, called so in the error.

std::int64_t to_number(const boost::json::value& value, std::string_view what);
std::vector<std::int64_t> to_numbers(const boost::json::value& value, std::string_view what);
std::string to_text(const boost::json::value& value, std::string_view what);
std::vector<std::string> to_texts(const boost::json::value& value, std::string_view what);
bool to_flag(const boost::json::value& value, std::string_view what);
const boost::json::array& to_list(const boost::json::value& value, std::string_view what);
const boost::json::object& to_object(const boost::json::value& value, std::string_view what);

}  // namespace assay::testee
