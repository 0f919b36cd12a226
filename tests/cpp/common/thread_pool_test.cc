#include "common/thread_pool.h"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <chrono>
#include <set>
#include <thread>
#include <vector>

namespace keras_dc {
namespace {

TEST(ThreadPool, DoesEachItemOnce) {
  ThreadPool pool;
  for (const size_t num_items : {0, 1, 2, 7, 1000}) {
    for (const size_t num_threads : {1, 2, 3, 8, 2}) {
      std::vector<std::atomic<int>> done(num_items);
      pool.ParallelFor(num_items, num_threads, [&](size_t item, size_t worker) {
        EXPECT_LT(worker, num_threads);
        ++done[item];
      });
      for (const auto& count : done) EXPECT_EQ(count, 1);
    }
  }
}

TEST(ThreadPool, StartsNoThreadForOne) {
  ThreadPool pool;
  std::set<std::thread::id> ids;
  pool.ParallelFor(100, 1, [&](size_t, size_t worker) {
    EXPECT_EQ(worker, 0u);
    ids.insert(std::this_thread::get_id());
  });
  EXPECT_EQ(ids, std::set<std::thread::id>{std::this_thread::get_id()});
  EXPECT_EQ(pool.num_started(), 0u);
  pool.ParallelFor(100, 3, [](size_t, size_t) {});
  EXPECT_EQ(pool.num_started(), 2u);
}

TEST(ThreadPool, ServesSeveralCallersAtOnce) {
  ThreadPool pool;
  std::array<std::atomic<int>, 4> done = {};
  std::vector<std::thread> callers;
  for (auto& count : done) {
    callers.emplace_back([&pool, &count] {
      for (int i = 0; i < 200; ++i) {
        pool.ParallelFor(16, 3, [&count](size_t, size_t) { ++count; });
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  for (const auto& count : done) EXPECT_EQ(count, 200 * 16);
}

TEST(ThreadPool, SleepsAndWakes) {
  ThreadPool pool;
  std::atomic<int> done = 0;
  for (int i = 0; i < 5; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    pool.ParallelFor(8, 2, [&](size_t, size_t) { ++done; });
  }
  EXPECT_EQ(done, 40);
}

// Later items fail sooner.
TEST(ForEachOrFail, ThreadsReturnTheErrorOfTheFirstItemThatFails) {
  ThreadPool pool;
  for (const size_t num_threads : {1, 2, 4}) {
    for (int round = 0; round < 50; ++round) {
      const kdc_status status =
          ForEachOrFail(&pool, 8, num_threads, [](size_t item, size_t) {
            if (item < 2) return KDC_OK;
            if (item > 2) return KDC_BAD_POSITION;
            std::this_thread::sleep_for(std::chrono::microseconds(200));
            return KDC_BAD_STREAM;
          });
      EXPECT_EQ(status, KDC_BAD_STREAM);
    }
  }
}

}  // namespace
}  // namespace keras_dc
