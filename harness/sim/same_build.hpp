// A program whose translation units were compiled differently in what decides the layout and the memory of Asio's and the
// standard library's objects is wrong in ways that show anywhere, or nowhere. So whoever sees this header asks the linker for
// what he was compiled with, and the library has what it was compiled with itself: where they differ, the program does not
// link, and the missing symbol says what it is:
//
//   undefined reference to `assay::must_be_built_with::BOOST_ASIO_DISABLE_SMALL_BLOCK_RECYCLING_defined'
//
// The mend: the same definitions for both, with Assay built from its sources (add_subdirectory or FetchContent).
#pragma once

#include <assay/harness/sim/asio_internals.hpp>

#if defined(BOOST_ASIO_CUSTOM_HANDLER_TRACKING)
#define ASSAY_DETAIL_MARK_BOOST_ASIO_CUSTOM_HANDLER_TRACKING BOOST_ASIO_CUSTOM_HANDLER_TRACKING_defined
#else
#define ASSAY_DETAIL_MARK_BOOST_ASIO_CUSTOM_HANDLER_TRACKING BOOST_ASIO_CUSTOM_HANDLER_TRACKING_not_defined
#endif
#if defined(BOOST_ASIO_DISABLE_AWAITABLE_FRAME_RECYCLING)
#define ASSAY_DETAIL_MARK_BOOST_ASIO_DISABLE_AWAITABLE_FRAME_RECYCLING \
  BOOST_ASIO_DISABLE_AWAITABLE_FRAME_RECYCLING_defined
#else
#define ASSAY_DETAIL_MARK_BOOST_ASIO_DISABLE_AWAITABLE_FRAME_RECYCLING \
  BOOST_ASIO_DISABLE_AWAITABLE_FRAME_RECYCLING_not_defined
#endif
#if defined(BOOST_ASIO_DISABLE_SMALL_BLOCK_RECYCLING)
#define ASSAY_DETAIL_MARK_BOOST_ASIO_DISABLE_SMALL_BLOCK_RECYCLING \
  BOOST_ASIO_DISABLE_SMALL_BLOCK_RECYCLING_defined
#else
#define ASSAY_DETAIL_MARK_BOOST_ASIO_DISABLE_SMALL_BLOCK_RECYCLING \
  BOOST_ASIO_DISABLE_SMALL_BLOCK_RECYCLING_not_defined
#endif
#if defined(BOOST_ASIO_ENABLE_HANDLER_TRACKING)
#define ASSAY_DETAIL_MARK_BOOST_ASIO_ENABLE_HANDLER_TRACKING BOOST_ASIO_ENABLE_HANDLER_TRACKING_defined
#else
#define ASSAY_DETAIL_MARK_BOOST_ASIO_ENABLE_HANDLER_TRACKING BOOST_ASIO_ENABLE_HANDLER_TRACKING_not_defined
#endif
#if defined(BOOST_ASIO_HAS_EPOLL)
#define ASSAY_DETAIL_MARK_BOOST_ASIO_HAS_EPOLL BOOST_ASIO_HAS_EPOLL_defined
#else
#define ASSAY_DETAIL_MARK_BOOST_ASIO_HAS_EPOLL BOOST_ASIO_HAS_EPOLL_not_defined
#endif
#if defined(BOOST_ASIO_HAS_EVENTFD)
#define ASSAY_DETAIL_MARK_BOOST_ASIO_HAS_EVENTFD BOOST_ASIO_HAS_EVENTFD_defined
#else
#define ASSAY_DETAIL_MARK_BOOST_ASIO_HAS_EVENTFD BOOST_ASIO_HAS_EVENTFD_not_defined
#endif
#if defined(BOOST_ASIO_HAS_IO_URING)
#define ASSAY_DETAIL_MARK_BOOST_ASIO_HAS_IO_URING BOOST_ASIO_HAS_IO_URING_defined
#else
#define ASSAY_DETAIL_MARK_BOOST_ASIO_HAS_IO_URING BOOST_ASIO_HAS_IO_URING_not_defined
#endif
#if defined(BOOST_ASIO_HAS_THREADS)
#define ASSAY_DETAIL_MARK_BOOST_ASIO_HAS_THREADS BOOST_ASIO_HAS_THREADS_defined
#else
#define ASSAY_DETAIL_MARK_BOOST_ASIO_HAS_THREADS BOOST_ASIO_HAS_THREADS_not_defined
#endif
#if defined(BOOST_ASIO_HAS_TIMERFD)
#define ASSAY_DETAIL_MARK_BOOST_ASIO_HAS_TIMERFD BOOST_ASIO_HAS_TIMERFD_defined
#else
#define ASSAY_DETAIL_MARK_BOOST_ASIO_HAS_TIMERFD BOOST_ASIO_HAS_TIMERFD_not_defined
#endif
#if defined(BOOST_ASIO_NO_TS_EXECUTORS)
#define ASSAY_DETAIL_MARK_BOOST_ASIO_NO_TS_EXECUTORS BOOST_ASIO_NO_TS_EXECUTORS_defined
#else
#define ASSAY_DETAIL_MARK_BOOST_ASIO_NO_TS_EXECUTORS BOOST_ASIO_NO_TS_EXECUTORS_not_defined
#endif
#if defined(BOOST_ASIO_USE_TS_EXECUTOR_AS_DEFAULT)
#define ASSAY_DETAIL_MARK_BOOST_ASIO_USE_TS_EXECUTOR_AS_DEFAULT BOOST_ASIO_USE_TS_EXECUTOR_AS_DEFAULT_defined
#else
#define ASSAY_DETAIL_MARK_BOOST_ASIO_USE_TS_EXECUTOR_AS_DEFAULT \
  BOOST_ASIO_USE_TS_EXECUTOR_AS_DEFAULT_not_defined
#endif
#if defined(_GLIBCXX_DEBUG)
#define ASSAY_DETAIL_MARK_GLIBCXX_DEBUG GLIBCXX_DEBUG_defined
#else
#define ASSAY_DETAIL_MARK_GLIBCXX_DEBUG GLIBCXX_DEBUG_not_defined
#endif
#if _GLIBCXX_USE_CXX11_ABI
#define ASSAY_DETAIL_MARK_STRING GLIBCXX_USE_CXX11_ABI_1
#else
#define ASSAY_DETAIL_MARK_STRING GLIBCXX_USE_CXX11_ABI_0
#endif
#if defined(BOOST_ASIO_RECYCLING_ALLOCATOR_CACHE_SIZE)
#define ASSAY_DETAIL_MARK_CACHE                                      \
  ASSAY_DETAIL_MARK_JOIN(BOOST_ASIO_RECYCLING_ALLOCATOR_CACHE_SIZE_, \
                         BOOST_ASIO_RECYCLING_ALLOCATOR_CACHE_SIZE)
#else
#define ASSAY_DETAIL_MARK_CACHE BOOST_ASIO_RECYCLING_ALLOCATOR_CACHE_SIZE_not_defined
#endif
#define ASSAY_DETAIL_MARK_JOIN(a, b) ASSAY_DETAIL_MARK_JOIN2(a, b)
#define ASSAY_DETAIL_MARK_JOIN2(a, b) a##b
#define ASSAY_DETAIL_MARK_BOOST ASSAY_DETAIL_MARK_JOIN(BOOST_VERSION_, BOOST_VERSION)
#define ASSAY_DETAIL_MARK_ABI ASSAY_DETAIL_MARK_JOIN(GXX_ABI_VERSION_, __GXX_ABI_VERSION)

#define ASSAY_DETAIL_MARKS(mark)                                                                            \
  mark(ASSAY_DETAIL_MARK_BOOST) mark(ASSAY_DETAIL_MARK_ABI) mark(ASSAY_DETAIL_MARK_STRING)                  \
      mark(ASSAY_DETAIL_MARK_CACHE) mark(ASSAY_DETAIL_MARK_BOOST_ASIO_CUSTOM_HANDLER_TRACKING)              \
          mark(ASSAY_DETAIL_MARK_BOOST_ASIO_DISABLE_AWAITABLE_FRAME_RECYCLING)                              \
              mark(ASSAY_DETAIL_MARK_BOOST_ASIO_DISABLE_SMALL_BLOCK_RECYCLING)                              \
                  mark(ASSAY_DETAIL_MARK_BOOST_ASIO_ENABLE_HANDLER_TRACKING)                                \
                      mark(ASSAY_DETAIL_MARK_BOOST_ASIO_HAS_EPOLL)                                          \
                          mark(ASSAY_DETAIL_MARK_BOOST_ASIO_HAS_EVENTFD)                                    \
                              mark(ASSAY_DETAIL_MARK_BOOST_ASIO_HAS_IO_URING)                               \
                                  mark(ASSAY_DETAIL_MARK_BOOST_ASIO_HAS_THREADS)                            \
                                      mark(ASSAY_DETAIL_MARK_BOOST_ASIO_HAS_TIMERFD)                        \
                                          mark(ASSAY_DETAIL_MARK_BOOST_ASIO_NO_TS_EXECUTORS)                \
                                              mark(ASSAY_DETAIL_MARK_BOOST_ASIO_USE_TS_EXECUTOR_AS_DEFAULT) \
                                                  mark(ASSAY_DETAIL_MARK_GLIBCXX_DEBUG)

namespace assay::must_be_built_with {
#define ASSAY_DETAIL_DECLARE(name) extern const char name;
ASSAY_DETAIL_MARKS(ASSAY_DETAIL_DECLARE)
#undef ASSAY_DETAIL_DECLARE
}  // namespace assay::must_be_built_with

namespace assay::detail {
// Of each translation unit its own: of one that all share, the linker would keep one.
#define ASSAY_DETAIL_REFER(name) &must_be_built_with::name,
[[gnu::used]] static const char* const built_with[] = {ASSAY_DETAIL_MARKS(ASSAY_DETAIL_REFER)};
#undef ASSAY_DETAIL_REFER
}  // namespace assay::detail
