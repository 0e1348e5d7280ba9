// Where log lines go, and its scripted stand-in, which keeps what was written. Calls: "log.write('line')".
#pragma once

#include <boost/asio/awaitable.hpp>
#include <string>
#include <utility>
#include <vector>

#include <assay/harness/mock/script.hpp>

namespace assay {

class log_sink {
 public:
  virtual ~log_sink() = default;
  /// Once it ends with a value the line is written.
  [[nodiscard]] virtual boost::asio::awaitable<void> write(std::string line) = 0;
};

/// Accepts every line, unless the script says otherwise.
class mock_log_sink final : public log_sink {
 public:
  explicit mock_log_sink(trial& t, const std::string& name = "log") : on_write(t, name + ".write") {
    on_write.otherwise(reply<void>::value());
  }

  script<void> on_write;

  /// The lines whose writing ended with a value, in the order in which the writes began.
  std::vector<std::string> lines() const {
    std::vector<std::string> written;
    for (const call_record& call : on_write.calls()) {
      if (call.outcome != call_outcome::value) continue;
      written.push_back(call.arguments.substr(1, call.arguments.size() - 2));
    }
    return written;
  }

  [[nodiscard]] boost::asio::awaitable<void> write(std::string line) override {
    return on_write.call("'" + line + "'");
  }
};

}  // namespace assay
