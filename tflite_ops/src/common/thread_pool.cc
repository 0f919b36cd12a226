#include "common/thread_pool.h"

#include "common/no_throw.h"

#if !defined(KERAS_DC_NO_THREADS)
#include <algorithm>
#include <chrono>
#endif

namespace keras_dc {

#if defined(KERAS_DC_NO_THREADS)

void ThreadPool::ParallelFor(size_t num_items, size_t /*num_threads*/,
                             const std::function<void(size_t, size_t)>& task) {
  for (size_t item = 0; item < num_items; ++item) task(item, 0);
}

kdc_status ForEachOrFail(
    ThreadPool* /*pool*/, size_t num_items, size_t /*num_threads*/,
    const std::function<kdc_status(size_t item, size_t worker)>& task) {
  for (size_t item = 0; item < num_items; ++item) {
    const kdc_status status = NoThrow([&] { return task(item, 0); });
    if (status != KDC_OK) return status;
  }
  return KDC_OK;
}

#else

namespace {

// Waking a thread takes longer than many layers do. So a thread spins for a
// while, looking for its next job, before it sleeps.
constexpr auto kPatience = std::chrono::microseconds(100);

void Pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

template <typename Condition>
void SpinUntil(Condition condition) {
  constexpr int kLooksPerTime = 32;
  const auto end = std::chrono::steady_clock::now() + kPatience;
  do {
    for (int i = 0; i < kLooksPerTime; ++i) {
      if (condition()) return;
      Pause();
    }
  } while (std::chrono::steady_clock::now() < end);
}

}  // namespace

ThreadPool::~ThreadPool() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    stop_ = true;
  }
  wake_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void ThreadPool::TakeItems(size_t worker) {
  for (;;) {
    const size_t item = next_item_.fetch_add(1, std::memory_order_relaxed);
    if (item >= num_items_) return;
    (*task_)(item, worker);
  }
}

void ThreadPool::Work(size_t worker) {
  std::unique_lock<std::mutex> lock(mutex_);
  size_t last_job = 0;
  for (;;) {
    lock.unlock();
    SpinUntil([&] { return job_.load(std::memory_order_relaxed) != last_job; });
    lock.lock();
    wake_.wait(lock, [&] {
      return stop_ || (job_ != last_job && is_open_ && worker <= num_wanted_);
    });
    if (stop_) return;
    last_job = job_;
    ++num_working_;
    lock.unlock();
    TakeItems(worker);
    lock.lock();
    if (--num_working_ == 0) finished_.notify_one();
  }
}

void ThreadPool::ParallelFor(size_t num_items, size_t num_threads,
                             const std::function<void(size_t, size_t)>& task) {
  const size_t num_helpers = std::min(num_items, num_threads);
  std::unique_lock<std::mutex> caller(caller_mutex_, std::defer_lock);
  if (num_helpers <= 1 || !caller.try_lock()) {
    for (size_t item = 0; item < num_items; ++item) task(item, 0);
    return;
  }
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    while (threads_.size() + 1 < num_helpers) {
      const size_t worker = threads_.size() + 1;
      threads_.emplace_back([this, worker] { Work(worker); });
    }
    task_ = &task;
    num_items_ = num_items;
    is_open_ = true;
    num_wanted_ = num_helpers - 1;
    next_item_.store(0, std::memory_order_relaxed);
    ++job_;
  }
  wake_.notify_all();
  TakeItems(0);
  // No item is left: threads that have not begun yet stay out.
  std::unique_lock<std::mutex> lock(mutex_);
  is_open_ = false;
  lock.unlock();
  SpinUntil([this] { return num_working_.load() == 0; });
  lock.lock();
  finished_.wait(lock, [this] { return num_working_ == 0; });
}

kdc_status ForEachOrFail(
    ThreadPool* pool, size_t num_items, size_t num_threads,
    const std::function<kdc_status(size_t item, size_t worker)>& task) {
  // The first item, in their order, that failed. Items before it are run all
  // the same, so that the status does not depend on which thread is first.
  std::mutex mutex;
  std::atomic<size_t> failed_item{num_items};
  kdc_status failure = KDC_OK;
  const auto run = [&](size_t item, size_t worker) {
    if (failed_item.load(std::memory_order_relaxed) < item) return;
    const kdc_status status = NoThrow([&] { return task(item, worker); });
    if (status == KDC_OK) return;
    const std::lock_guard<std::mutex> lock(mutex);
    if (failed_item.load(std::memory_order_relaxed) < item) return;
    failed_item.store(item, std::memory_order_relaxed);
    failure = status;
  };
  if (num_threads <= 1) {
    for (size_t item = 0; item < num_items; ++item) run(item, 0);
  } else {
    pool->ParallelFor(num_items, num_threads, run);
  }
  return failure;
}

#endif  // KERAS_DC_NO_THREADS

}  // namespace keras_dc
