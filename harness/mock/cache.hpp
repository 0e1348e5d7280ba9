// A cache as a program sees it, and its scripted stand-in. Calls: "cache.get('key')", "cache.set('key',
// 'value')".
#pragma once

#include <boost/asio/awaitable.hpp>
#include <optional>
#include <string>
#include <utility>

#include <assay/harness/mock/script.hpp>

namespace assay {

class cache {
 public:
  virtual ~cache() = default;
  /// The value, or nothing when the key is not there.
  [[nodiscard]] virtual boost::asio::awaitable<std::optional<std::string>> get(std::string key) = 0;
  [[nodiscard]] virtual boost::asio::awaitable<void> set(std::string key, std::string value) = 0;
  /// True if the key was there.
  [[nodiscard]] virtual boost::asio::awaitable<bool> erase(std::string key) = 0;
};

class mock_cache final : public cache {
 public:
  explicit mock_cache(trial& t, const std::string& name = "cache")
      : on_get(t, name + ".get"), on_set(t, name + ".set"), on_erase(t, name + ".erase") {}

  script<std::optional<std::string>> on_get;
  script<void> on_set;
  script<bool> on_erase;

  [[nodiscard]] boost::asio::awaitable<std::optional<std::string>> get(std::string key) override {
    return on_get.call("'" + key + "'");
  }
  [[nodiscard]] boost::asio::awaitable<void> set(std::string key, std::string value) override {
    return on_set.call("'" + key + "', '" + value + "'");
  }
  [[nodiscard]] boost::asio::awaitable<bool> erase(std::string key) override {
    return on_erase.call("'" + key + "'");
  }
};

}  // namespace assay
