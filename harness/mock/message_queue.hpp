// A message broker as a program sees it, and its scripted stand-in. Calls: "queue.publish('topic', 'text')",
// "queue.receive('topic')".
#pragma once

#include <boost/asio/awaitable.hpp>
#include <string>
#include <utility>

#include <assay/harness/mock/script.hpp>

namespace assay {

class message_queue {
 public:
  virtual ~message_queue() = default;
  [[nodiscard]] virtual boost::asio::awaitable<void> publish(std::string topic, std::string text) = 0;
  /// The next message of the topic; waits for one.
  [[nodiscard]] virtual boost::asio::awaitable<std::string> receive(std::string topic) = 0;
};

class mock_message_queue final : public message_queue {
 public:
  explicit mock_message_queue(trial& t, const std::string& name = "queue")
      : on_publish(t, name + ".publish"), on_receive(t, name + ".receive") {}

  script<void> on_publish;
  script<std::string> on_receive;

  [[nodiscard]] boost::asio::awaitable<void> publish(std::string topic, std::string text) override {
    return on_publish.call("'" + topic + "', '" + text + "'");
  }
  [[nodiscard]] boost::asio::awaitable<std::string> receive(std::string topic) override {
    return on_receive.call("'" + topic + "'");
  }
};

}  // namespace assay
