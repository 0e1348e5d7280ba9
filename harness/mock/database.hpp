// A database as a program sees it, and its scripted stand-in. Calls: "database.query('select 1')".
#pragma once

#include <boost/asio/awaitable.hpp>
#include <string>
#include <utility>
#include <vector>

#include <assay/harness/mock/script.hpp>

namespace assay {

class database {
 public:
  using rows = std::vector<std::string>;

  virtual ~database() = default;
  /// Runs a statement. Cancellation: total, where the implementation offers it.
  [[nodiscard]] virtual boost::asio::awaitable<rows> query(std::string statement) = 0;
};

class mock_database final : public database {
 public:
  explicit mock_database(trial& t, const std::string& name = "database") : on_query(t, name + ".query") {}

  script<rows> on_query;

  [[nodiscard]] boost::asio::awaitable<rows> query(std::string statement) override {
    return on_query.call("'" + statement + "'");
  }
};

}  // namespace assay
