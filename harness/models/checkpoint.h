#pragma once
/// Everything that goes on after a kill: weights, buffers, what the optimiser keeps, the loss's state, and where
/// training stood. One safetensors file holds it all (tensors by name; the rest as JSON in its metadata) and alone
/// decides; a .json of the same stem is written beside it for people. Network tensors have their own names, so other
/// programs can load the file; the optimiser's are "optimizer.SLOT.NAME", moving averages of the weights "ema.NAME",
/// loss state "loss.NAME". A hash of the tensors stands in the metadata and is checked where it is there. The same
/// training gives the same bytes: no times are stored. Format 2. Files of format 1 (version 0.1: imported weights,
/// finished trainings) are read too, but not continued.
#include "models/network.h"

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace nearfar {

/// One finished epoch.
struct EpochRecord {
  std::int64_t epoch = 0;                    ///< from 0
  double loss = 0;                           ///< mean over the epoch's steps
  double learning_rate = 0;                  ///< of its last step
  std::optional<double> val_accuracy;        ///< fraction; losses with a linear head only
  std::optional<double> gradient_norm;       ///< of its last step, before clipping; empty in files of earlier versions
  std::optional<double> ood_val_auroc = {};  ///< fraction; where it was asked for

  bool operator==(const EpochRecord&) const = default;
};

struct Checkpoint {
  int format = 2;        ///< of the file it was read from; always written as 2
  std::string identity;  ///< what was asked for; a checkpoint of another identity is not continued. "" = imported,
                         ///< never continued
  std::string origin;    ///< of imported weights: where they came from; not stored where it is empty
  NetworkSpec spec;
  std::int64_t step = 0;             ///< optimiser steps done
  double epoch_loss_sum = 0;         ///< of the steps of the unfinished epoch
  double loss_average = 0;           ///< exponential moving average of the loss, weight 0.2 for the newest step
  std::int64_t best_epoch = -1;      ///< epoch of best.safetensors; -1 = none yet
  double best_value = 0;             ///< its validation accuracy (linear head) or loss average (embedding)
  std::string best_sha256;           ///< in last.safetensors: of the whole file of that epoch's weights; "" = none yet
  std::vector<EpochRecord> history;  ///< finished epochs
  std::vector<NamedTensor> network, ema, loss;
  std::vector<OptimizerTensor> optimizer;
};

/// "last.safetensors" and "best.safetensors" in a training folder.
std::filesystem::path last_checkpoint(const std::filesystem::path& folder);
std::filesystem::path best_checkpoint(const std::filesystem::path& folder);
/// "best.next.safetensors": a best epoch that no last.safetensors knows yet; becomes best.safetensors by a rename.
std::filesystem::path next_best_checkpoint(const std::filesystem::path& folder);

/// Atomic: readers see the old file or the new one. The tensors may be on any device. Error(data) if it cannot be
/// written.
void write_checkpoint(const std::filesystem::path& file, const Checkpoint& checkpoint);

/// Error(data) naming the file and what is wrong with it.
Checkpoint read_checkpoint(const std::filesystem::path& file);

/// The network of a checkpoint, with its weights, in evaluation mode. Error(data) as read_checkpoint and load_tensors.
std::unique_ptr<Network> load_network(const std::filesystem::path& file, at::Device device = at::kCPU);

}  // namespace nearfar
