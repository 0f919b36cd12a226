// Which graphs of a model are run many times in one Invoke: the bodies of
// loops.
#ifndef KERAS_DC_SRC_TFLITE_LOOP_GRAPHS_H_
#define KERAS_DC_SRC_TFLITE_LOOP_GRAPHS_H_

#include <algorithm>
#include <map>
#include <mutex>

#include "keras_dc/tflite_abi.h"

namespace keras_dc {

// What ops of a graph call: the highest number of a graph, 0 if there is none.
// The first graph of a model has number 0, and nobody calls it.
struct CalledGraphs {
  int by_loops = 0;
  int by_branches = 0;
};

// A runtime gives a delegate the graphs of a model in their order, and tells
// neither their numbers nor which models they are of. So those that follow a
// graph with a loop, up to the last one that the loop calls, count as its
// bodies. Where a delegate has several models and one of them is closed, this
// may be wrong; it decides on memory and speed alone. All functions may be
// called from several threads at once.
class LoopGraphs {
 public:
  // To be called when the delegate gets the graph, also if it gets it again.
  void Add(const TfLiteContext* graph, const CalledGraphs& called) {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (in_loop_.count(graph) > 0) return;
    const bool in_loop = number_ < last_;
    in_loop_[graph] = in_loop;
    if (in_loop) {
      ++number_;
      last_ = std::max({last_, called.by_loops, called.by_branches});
    } else {
      number_ = 0;
      last_ = called.by_loops;
    }
  }

  bool Has(const TfLiteContext* graph) {
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto found = in_loop_.find(graph);
    return found != in_loop_.end() && found->second;
  }

 private:
  std::mutex mutex_;
  std::map<const TfLiteContext*, bool> in_loop_;
  // Of the graph that came last, and of the last one that a loop calls.
  int number_ = 0;
  int last_ = 0;
};

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_TFLITE_LOOP_GRAPHS_H_
