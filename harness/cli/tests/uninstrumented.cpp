// A library that waits on Asio's timers and was compiled without the virtual-time header.
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

namespace uninstrumented {

int wait(int rounds) {
  boost::asio::io_context context;
  boost::asio::steady_timer timer(context);
  int ended = 0;
  for (int i = 0; i < rounds; ++i) timer.async_wait([&ended](const boost::system::error_code&) { ++ended; });
  timer.cancel();
  context.run();
  return ended;
}

}  // namespace uninstrumented
