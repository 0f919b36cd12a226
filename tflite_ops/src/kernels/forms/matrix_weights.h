// The form for matrix instructions (kernels/tile/matrix_tile.h): words of int8
// weights (weight_words.h) with a bit for each word of the dense matrix, so
// that one instruction spreads the words of 16 rows.
#ifndef KERAS_DC_SRC_KERNELS_FORMS_MATRIX_WEIGHTS_H_
#define KERAS_DC_SRC_KERNELS_FORMS_MATRIX_WEIGHTS_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "common/sparse_rows.h"
#include "kernels/tile/matrix_tile.h"

namespace keras_dc {

class MatrixWeights {
 public:
  // Args:
  //   words: see WordsOf.
  //   places: for each column of `words` its step * MatrixJob::kWords + its
  //     place in the step.
  static MatrixWeights Pack(const SparseRows& words,
                            const std::vector<uint32_t>& places,
                            size_t num_steps);

  // Whether these are weights, packed for such places.
  bool Fits(const std::vector<uint32_t>& places) const {
    return !is_empty() && places == places_;
  }
  bool is_empty() const { return num_rows_ == 0; }
  size_t num_panels() const { return first_words_.size(); }
  size_t panel_rows() const { return panel_rows_; }
  // Sets the weights of a panel.
  void SetPanel(size_t panel, MatrixJob* job) const;

  size_t size_bytes() const;

 private:
  size_t num_rows_ = 0;
  size_t panel_rows_ = MatrixJob::kPanelRows;
  size_t num_steps_ = 0;
  std::vector<uint32_t> places_;
  std::vector<uint16_t> masks_;
  std::vector<uint32_t> words_;
  // The number of words before each panel.
  std::vector<size_t> first_words_;
};

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_KERNELS_FORMS_MATRIX_WEIGHTS_H_
