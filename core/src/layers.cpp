#include "layers.h"

#include <algorithm>

#include "layer_kinds.h"
#include "layer_reader.h"

namespace potstill {
namespace {

constexpr size_t kMostLayers = 1000;

constexpr struct {
  std::string_view name;
  MakeLayer *make;
  bool reads_ids;
} kLayers[] = {
    {"words", make_words, true},
    {"ngrams", make_ngrams, true},
    {"char_ngrams", make_char_ngrams, true},
    {"linear", make_linear, false},
    {"max_over_time", make_max_over_time, false},
    {"bilstm", make_bilstm, false},
    {"attend", make_attend, false},
    {"layer_norm", make_layer_norm, false},
    {"add", make_add, false},
    {"concatenate", make_concatenate, false},
    {"quantize", make_quantize, false},
};

}  // namespace

std::string read_layers(const Json &plan, const Weights &weights, const Kernels &kernels, const Value *first,
                        Layers &layers) {
  if (first) layers.values.push_back(*first);
  if (plan.items.size() > kMostLayers) return "the plan has too many layers";
  for (const Json &fields : plan.items) {
    LayerReader reader(fields, weights, kernels, layers);
    const std::string_view name = fields["layer"].text;
    const auto *found =
        std::find_if(std::begin(kLayers), std::end(kLayers), [&](auto &each) { return each.name == name; });
    if (found == std::end(kLayers))
      return "the plan has a layer that this version does not know: '" + std::string(name) + "'";
    if (found->reads_ids && first) return "the plan reads text again behind its vector";
    auto layer = found->make(reader);
    if (!reader.problem().empty()) return "the layer '" + std::string(name) + "' of the plan: " + reader.problem();
    layers.layers.push_back(std::move(layer));
  }
  if (layers.values.empty() || !layers.values.back().is_by_text || layers.values.back().is_integer)
    return "the plan has no layer that gives a text's vector";
  return "";
}

void make_room(const Layers &layers, Batch &batch) {
  batch.buffers.resize(std::max(batch.buffers.size(), layers.values.size()));
  for (size_t i = 0; i < layers.values.size(); ++i) {
    const Value &value = layers.values[i];
    const size_t size = (value.is_by_text ? batch.texts.size() : batch.n_rows) * value.width + kSlack;
    if (value.is_integer)
      grow(batch.buffers[i].integers, size);
    else
      grow(batch.buffers[i].floats, size);
  }
}

}  // namespace potstill
