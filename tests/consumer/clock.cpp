// A library that uses Asio's timers and was compiled without Assay's header.
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>

void wait_for_real() {
  boost::asio::io_context context;
  boost::asio::steady_timer timer(context, std::chrono::milliseconds(1));
  timer.async_wait([](const boost::system::error_code&) {});
  context.run();
}
