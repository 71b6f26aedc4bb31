#include "work/shares.h"

#include <fmt/format.h>

#include <algorithm>

namespace nearfar {

Shares shares_of(const Experiment& experiment, std::size_t devices, std::size_t processors) {
  const bool on_cpu = experiment.device == "cpu";
  const std::size_t all = std::max<std::size_t>(1, processors);
  const auto ranks = static_cast<std::size_t>(std::max<std::int64_t>(1, experiment.nproc));
  const std::size_t child = static_cast<std::size_t>(experiment.threads) * ranks;
  Shares shares;
  shares.jobs = experiment.jobs > 0 ? static_cast<std::size_t>(experiment.jobs)
                : on_cpu            ? std::max<std::size_t>(1, all / child)
                                    : std::max<std::size_t>(1, devices);
  shares.loader_threads =
      experiment.loader_threads > 0 ? experiment.loader_threads
      : on_cpu                      ? experiment.threads
               // A GPU wants images faster than one thread decodes them.
               : std::clamp<std::int64_t>(static_cast<std::int64_t>(all / (shares.jobs * ranks)), 1, 256);
  if (on_cpu && shares.jobs * child > all) {
    shares.crowded = fmt::format(
        "{} children with {} threads each want more than the {} processors here and slow each other: fewer jobs (-j "
        "{}) "
        "are faster",
        shares.jobs, child, all, std::max<std::size_t>(1, all / child));
  }
  return shares;
}

}  // namespace nearfar
