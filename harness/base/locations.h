#pragma once
/// Where the parts of an installation lie. A build folder has the same layout as an installation, so one rule serves
/// both: PREFIX/bin/nearfar, PREFIX/libexec/nearfar/nearfar-engine, PREFIX/lib/nearfar/plugins,
/// PREFIX/share/nearfar/{configs,reports}; what is fetched (torch/, nvidia/, data/): PREFIX/lib/nearfar.
#include <filesystem>
#include <string>
#include <vector>

namespace nearfar {

/// PREFIX of the running program, nearfar or its engine, from /proc/self/exe.
std::filesystem::path prefix();
/// $NEARFAR_ENGINE, else PREFIX's. Error(internal) if that is not there: a broken installation.
std::filesystem::path engine_program();
std::filesystem::path installed_plugins();
/// The script that fetches LibTorch and the digits of the quickstart into fetched().
std::filesystem::path fetch_program();
/// $NEARFAR_DEPS, else PREFIX/lib/nearfar.
std::filesystem::path fetched();
/// configs/ and reports/ of the installation; $NEARFAR_SHARE moves it.
std::filesystem::path share();

/// The experiment file that a person means by `word`: the file itself; or, for a name without folder and suffix that is
/// no file here, configs/experiments/NAME.toml under the working folder or installed. Error(config) for such a name
/// that is nowhere, with the names there are.
std::filesystem::path experiment_file(const std::string& word);

/// Folders in which benchmarks are looked for by name: configs/benchmarks beside the experiment files, under the
/// working folder, installed.
std::vector<std::filesystem::path> benchmark_folders(const std::vector<std::filesystem::path>& experiment_files);

}  // namespace nearfar
