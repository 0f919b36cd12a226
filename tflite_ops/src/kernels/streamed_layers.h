// Layers whose weights are decoded at every run, for little memory.
#ifndef KERAS_DC_SRC_KERNELS_STREAMED_LAYERS_H_
#define KERAS_DC_SRC_KERNELS_STREAMED_LAYERS_H_

#include <cstddef>

#include "common/thread_pool.h"
#include "keras_dc/codec.h"
#include "kernels/activation.h"
#include "kernels/conv_2d.h"
#include "kernels/forms/streamed_weights.h"
#include "kernels/fully_connected.h"
#include "kernels/int8_conv_2d.h"
#include "kernels/int8_fully_connected.h"

namespace keras_dc {

// As FullyConnected::Run and Conv2D::Run. `plan` is made for max_rows() of
// `weights`: a range of rows is a layer by itself. May throw std::bad_alloc.
kdc_status RunStreamed(const StreamedWeights& weights,
                       const FullyConnectedPlan& plan, const float* input,
                       const float* bias, Activation activation,
                       ThreadPool* pool, float* output);
kdc_status RunStreamed(const StreamedWeights& weights, const ConvPlan& plan,
                       const float* input, const float* bias,
                       Activation activation, ThreadPool* pool, float* output);

// As Int8FullyConnected::Run and Int8Conv2D::Run.
kdc_status RunStreamed(const StreamedWeights& weights,
                       const Int8FullyConnectedPlan& plan,
                       const Int8Inputs& inputs, const OutputScaling* scaling,
                       ThreadPool* pool, void* output);
kdc_status RunStreamed(const StreamedWeights& weights, const Int8ConvPlan& plan,
                       const Int8Inputs& inputs, const OutputScaling* scaling,
                       ThreadPool* pool, void* output);

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_KERNELS_STREAMED_LAYERS_H_
