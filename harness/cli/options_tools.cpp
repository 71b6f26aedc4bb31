/// Options of the verbs that need no database.
#include "cli/options_parts.h"

#include <memory>
#include <vector>

namespace nearfar {
namespace {

Action declare_metrics(CLI::App& verb) {
  struct Arguments {
    std::filesystem::path id, ood;
    bool json = false;
  };
  const auto metrics = std::make_shared<Arguments>();
  verb.add_option("--id", metrics->id, "scores of in-distribution images, .npy")->required();
  verb.add_option("--ood", metrics->ood, "scores of out-of-distribution images, .npy")->required();
  add_json(verb, metrics->json);
  return [metrics] { return metrics_verb(metrics->id, metrics->ood, metrics->json); };
}

Action declare_score(CLI::App& verb) {
  const auto score = std::make_shared<ScoreArguments>();
  verb.add_option("name", score->name, "postprocessor")->required();
  verb.add_option("--features", score->features, "feature folder: head/, train/, val/, test/, near/NAME/, …")
      ->required();
  verb.add_option("--set", score->set, "image set, e.g. test or far/mnist (default test)");
  verb.add_option("-p,--param", score->assignments, "key=value; may be repeated")->allow_extra_args(false);
  verb.add_option("-o,--output", score->output, "score file, .npy")->required();
  verb.add_option("--device", score->device, "cpu or cuda");
  verb.add_option("--threads", score->threads, "default: one a core");
  add_json(verb, score->json);
  add_plugin_dirs(verb, score->plugin_dirs);
  return [score] { return score_verb(*score); };
}

Action declare_import(CLI::App& verb) {
  const auto import = std::make_shared<ImportArguments>();
  verb.add_option("file", import->file, "weights: .ckpt, .pth, .safetensors")->required();
  verb.add_option("-o,--output", import->output, "checkpoint to write (default: FILE's name with .safetensors, here)");
  verb.add_option("--architecture", import->architecture, "default: the one that the names and shapes fit");
  verb.add_option("--size", import->size, "height and width of its images (default: the architecture's)")
      ->check(CLI::Range(1, 8192));
  add_json(verb, import->json);
  return [import] { return import_verb(*import); };
}

Action declare_export_check(CLI::App& verb) {
  const auto check = std::make_shared<ExportCheckArguments>();
  verb.add_option("file", check->file, "what torch.export.save wrote, .pt2")->required();
  CLI::Option* inputs =
      verb.add_option("--inputs", check->inputs, "images as Python gave them, .npy [N,channels,height,width]");
  CLI::Option* logits = verb.add_option(
      "--logits", check->logits, "what Python computed, .npy [N,C] (default: FILE.reference.logits.npy, if there)");
  logits->needs(inputs);
  inputs->needs(logits);
  verb.add_option("--feature-node", check->feature_node, "as model.feature_node");
  verb.add_option("--map-nodes", check->map_nodes, "as model.map_nodes, with commas")->delimiter(',');
  verb.add_flag("--nodes", check->nodes, "list the nodes that can be named");
  add_json(verb, check->json);
  return [check] { return export_check_verb(*check); };
}

/// `data check|pack|synth`: words with '=' are overrides, the others names of sets.
struct DataOptionsText {
  DataArguments arguments;
  std::vector<std::string> words;

  void split() {
    for (const std::string& word : words) (is_override(word) ? arguments.overrides : arguments.sets).push_back(word);
  }
};

std::shared_ptr<DataOptionsText> add_data(CLI::App& verb) {
  auto text = std::make_shared<DataOptionsText>();
  verb.add_option("benchmark", text->arguments.benchmark, "name or file of a benchmark")->required();
  add_json(verb, text->arguments.json);
  return text;
}

void add_data_words(CLI::App& verb, DataOptionsText& text) {
  verb.add_option("words", text.words,
                  "sets (default: all) and overrides: [SET…] [data.root=DIR data.allow_count_mismatch=true …]");
  verb.add_option("--threads", text.arguments.threads, "that decode (default: one a core)")->check(CLI::Range(1, 256));
}

Action declare_data_check(CLI::App& verb) {
  const auto text = add_data(verb);
  add_data_words(verb, *text);
  return [text] { return text->split(), data_check_verb(text->arguments); };
}

Action declare_data_pack(CLI::App& verb) {
  const auto text = add_data(verb);
  add_data_words(verb, *text);
  verb.add_option("--out", text->arguments.out,
                  "folder (default: data.packed, NEARFAR_PACKED, or 'packed' beneath the data root)");
  verb.add_option("--train-side", text->arguments.train_side,
                  "training copies instead: whole images, their shorter side resized to this (256 for crops of 224)")
      ->check(CLI::Range(16, 4096));
  return [text] { return text->split(), data_pack_verb(text->arguments); };
}

Action declare_data_synth(CLI::App& verb) {
  const auto text = add_data(verb);
  DataArguments& synth = text->arguments;
  verb.add_option("--out", synth.out, "a new folder, then used as data.root")->required();
  verb.add_option("--per-set", synth.per_set, "images a set, at least one a class; train has four times as many")
      ->check(CLI::Range(1, 1'000'000))
      ->capture_default_str();
  verb.add_option("--seed", synth.seed, "another seed, other images")->capture_default_str();
  return [text] { return data_synth_verb(text->arguments); };
}

constexpr Verb kDataVerbs[] = {
    {"check", "is every image there, readable and where it belongs? exit 6 if not", declare_data_check},
    {"pack", "decode image files once into packed copies, which are then used by themselves", declare_data_pack},
    {"synth", "a tiny look-alike of a benchmark's image files, for tests and demos", declare_data_synth},
};

Action declare_data(CLI::App& verb) { return declare_verbs(verb, kDataVerbs); }

Action declare_doctor(CLI::App& verb) {
  struct Arguments {
    DatabaseArguments database;
    Paths plugin_dirs;
  };
  const auto doctor = std::make_shared<Arguments>();
  add_json(verb, doctor->database.json);
  add_database(verb, doctor->database);
  add_plugin_dirs(verb, doctor->plugin_dirs);
  return [doctor] { return doctor_verb(doctor->plugin_dirs, doctor->database); };
}

constexpr Verb kVerbs[] = {
    {"metrics", "AUROC, FPR@95, AUPR of two score files (higher = more OOD)", declare_metrics},
    {"score", "score one image set of a feature folder with a postprocessor", declare_score},
    {"import", "weights of OpenOOD, torchvision or safetensors files as a nearfar checkpoint", declare_import},
    {"export-check", "does a network that Python exported (.pt2) compute what it did there? exit 1 if not",
     declare_export_check},
    {"data", "check, pack or make the images of a benchmark", declare_data},
    {"plugin", "write, check, measure and find plugins", declare_plugin},
    {"doctor", "versions, devices, plugins, data, database: what works here and what does not", declare_doctor},
    {"completion", "a completion script, on stdout", declare_completion},
    {"man", "a manual page, on stdout: nearfar man run | man -l -", declare_man},
};

}  // namespace

std::span<const Verb> tool_verbs() { return kVerbs; }

}  // namespace nearfar
