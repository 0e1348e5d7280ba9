// An HTTP client as a program sees it, and its scripted stand-in. Calls: "http.request(GET /index)".
#pragma once

#include <boost/asio/awaitable.hpp>
#include <string>
#include <utility>

#include <assay/harness/mock/script.hpp>

namespace assay {

/// Constructors, not aggregates: an aggregate beside co_await is destroyed twice by g++ 12.
struct http_request {
  http_request(std::string verb, std::string where, std::string text = {})
      : method(std::move(verb)), target(std::move(where)), body(std::move(text)) {}
  std::string method;
  std::string target;
  std::string body;
};

struct http_response {
  explicit http_response(unsigned code = 200, std::string text = {}) : status(code), body(std::move(text)) {}
  unsigned status;
  std::string body;
};

class http_client {
 public:
  virtual ~http_client() = default;
  /// A response of any status is a value; only a broken connection is an error.
  [[nodiscard]] virtual boost::asio::awaitable<http_response> request(http_request asked) = 0;
};

class mock_http_client final : public http_client {
 public:
  explicit mock_http_client(trial& t, const std::string& name = "http") : on_request(t, name + ".request") {}

  script<http_response> on_request;

  [[nodiscard]] boost::asio::awaitable<http_response> request(http_request asked) override {
    std::string arguments = asked.method + " " + asked.target;
    if (!asked.body.empty()) arguments += " '" + asked.body + "'";
    return on_request.call(std::move(arguments));
  }
};

}  // namespace assay
