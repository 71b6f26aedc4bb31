#pragma once
/// One function per verb of nearfar-engine. Each reads its job, sends its messages and throws Error for what concerns
/// the whole job.
#include <nlohmann/json_fwd.hpp>

namespace nearfar {

/// Every plugin on the search path: {"directories":[…],"installed":"…"} →
/// {"torch","plugins":[…],"refusals":[{"path","message"}]}.
void inspect(const nlohmann::json& job);
/// The architectures there are: [{"name","image_size","feature_dim","parameters"}], with 10 classes.
void models(const nlohmann::json& job);
/// `nearfar score`: a postprocessor on a feature folder → a score file.
void score(const nlohmann::json& job);
/// What a weights file holds: {"file","architecture","mappings","height","width","channels"} →
/// {"architecture","classes","head","projection", "embedding_dim","format","mapping","tensors","values","ignored"}.
void weights(const nlohmann::json& job);
/// `nearfar import`: the same job and "output" → the same document; the network is written there as our checkpoint.
void import_file(const nlohmann::json& job);
/// One train cell: checkpoint, features of train and test, accuracy.
void train_cell(const nlohmann::json& job);
/// One model's eval cells: one pass per image set, then every postprocessor.
void eval_group(const nlohmann::json& job);
/// What LibTorch and CUDA say of this machine.
void doctor(const nlohmann::json& job);

}  // namespace nearfar
