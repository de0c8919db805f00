// The kinds of layers: each is made of its part of a plan.
#pragma once

#include <memory>

#include "layers.h"

namespace potstill {

class LayerReader;

using MakeLayer = std::unique_ptr<Layer>(LayerReader &reader);

MakeLayer make_words, make_linear, make_max_over_time, make_bilstm, make_attend;
MakeLayer make_layer_norm, make_add, make_concatenate, make_quantize;
MakeLayer make_ngrams, make_char_ngrams;

}  // namespace potstill
