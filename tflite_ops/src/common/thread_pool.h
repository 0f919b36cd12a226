// Threads that share the work of an op.
#ifndef KERAS_DC_SRC_COMMON_THREAD_POOL_H_
#define KERAS_DC_SRC_COMMON_THREAD_POOL_H_

#include <cstddef>
#include <functional>

#include "keras_dc/codec.h"

#if !defined(KERAS_DC_NO_THREADS)
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>
#endif

namespace keras_dc {

#if defined(KERAS_DC_NO_THREADS)

// For machines without threads: the caller does all items.
class ThreadPool {
 public:
  void ParallelFor(size_t num_items, size_t num_threads,
                   const std::function<void(size_t, size_t)>& task);
  size_t num_started() const { return 0; }
};

#else

class ThreadPool {
 public:
  ThreadPool() = default;
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  // Calls `task(item, worker)` once for each item from 0 to num_items - 1, on
  // the calling thread (worker 0) and up to num_threads - 1 others. Threads are
  // started when they are first needed. While another caller uses the pool, the
  // calling thread does all items.
  void ParallelFor(size_t num_items, size_t num_threads,
                   const std::function<void(size_t, size_t)>& task);

  // The number of threads started so far.
  size_t num_started() const { return threads_.size(); }

 private:
  void Work(size_t worker);
  void TakeItems(size_t worker);

  std::mutex caller_mutex_;

  std::mutex mutex_;
  std::condition_variable wake_;
  std::condition_variable finished_;
  std::vector<std::thread> threads_;
  // Written under mutex_ only; spinning threads read them without it.
  std::atomic<size_t> job_{0};
  std::atomic<size_t> num_working_{0};
  // Guarded by mutex_. The task and the sizes of a job stay as they are while a
  // thread works on it.
  size_t num_wanted_ = 0;
  bool stop_ = false;
  // Whether threads may still join the job.
  bool is_open_ = false;
  const std::function<void(size_t, size_t)>* task_ = nullptr;
  size_t num_items_ = 0;
  std::atomic<size_t> next_item_{0};
};

#endif  // KERAS_DC_NO_THREADS

// Calls `task(item, worker)` for the items [0, num_items) until a call returns
// an error or throws std::bad_alloc. Returns that error; where several items
// fail, that of the first of them.
kdc_status ForEachOrFail(
    ThreadPool* pool, size_t num_items, size_t num_threads,
    const std::function<kdc_status(size_t item, size_t worker)>& task);

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_COMMON_THREAD_POOL_H_
