#include "config/experiment.h"

#include "config_files.h"

namespace nearfar {
namespace {

using ExperimentTest = testing::ConfigFiles;

TEST_F(ExperimentTest, ReadsEverySection) {
  const Experiment e = load(R"(
name = "mine"
recipe = "r"
benchmark = "smoke"
protocols = ["ood", "fsood"]
losses = ["ce", "sup_con"]
postprocessors = ["temp_scaling", "knn"]
seeds = [3, 5]
device = "cuda"
out = "elsewhere"
[data]
root = "d"
allow_count_mismatch = true
limit = 7
[model]
name = "net"
[train]
epochs = 9
lr = 1
[loss.sup-con]
temperature = 0.2
[loss.sup_con_2.train]
lr = 2
[loss.sup-con.train]
lr = 0.3
[postprocessor.knn]
k = 5
[run]
jobs = 2
threads = 3
timeout_seconds = 4
deterministic = false
)");
  EXPECT_EQ(e.name, "mine");
  EXPECT_EQ(e.recipe, "r");
  EXPECT_EQ(e.protocols, (std::vector<std::string>{"ood", "fsood"}));
  EXPECT_EQ(e.seeds, (std::vector<std::int64_t>{3, 5}));
  EXPECT_EQ(e.device, "cuda");
  EXPECT_EQ(e.out, "elsewhere");
  EXPECT_EQ(e.data_root, "d");
  EXPECT_TRUE(e.allow_count_mismatch);
  EXPECT_EQ(e.limit, 7);
  EXPECT_EQ(e.networks, std::vector<std::string>{"net"});
  EXPECT_EQ(e.jobs, 2);
  EXPECT_EQ(e.threads, 3);
  EXPECT_EQ(e.timeout_seconds, 4);
  EXPECT_FALSE(e.deterministic);
  ASSERT_EQ(e.losses.size(), 2U);
  EXPECT_EQ(e.losses[0].recipe.epochs, 9);
  EXPECT_EQ(e.losses[0].recipe.learning_rate, 1);
  EXPECT_EQ(e.losses[1].name, "sup-con");
  EXPECT_EQ(e.losses[1].recipe.epochs, 9);
  EXPECT_EQ(e.losses[1].recipe.learning_rate, 0.3);
  EXPECT_EQ(std::get<double>(e.losses[1].params.at("temperature")), 0.2);
  ASSERT_EQ(e.postprocessors.size(), 2U);
  EXPECT_EQ(e.postprocessors[0].name, "temp-scaling");
  EXPECT_EQ(std::get<std::int64_t>(e.postprocessors[1].params.at("k")), 5);
  EXPECT_EQ(without_folder(e.postprocessors[1].param_where.at("k")), "experiment.toml:27:5");
  EXPECT_EQ(without_folder(e.postprocessors[1].where), "experiment.toml:7:35");
}

TEST_F(ExperimentTest, HasDefaultsForEverythingButTheBenchmark) {
  const Experiment e = load("benchmark = 'smoke'");
  EXPECT_EQ(e.name, "experiment");
  EXPECT_EQ(e.out, std::filesystem::path("out/experiment"));
  EXPECT_EQ(e.protocols, std::vector<std::string>{"ood"});
  EXPECT_EQ(e.seeds, std::vector<std::int64_t>{0});
  EXPECT_TRUE(e.deterministic);
  EXPECT_EQ(refusal("name = 'x'").substr(0, 38), "experiment.toml: no benchmark is named");
}

TEST_F(ExperimentTest, LaterFilesWin) {
  const auto first = write("1.toml", "benchmark = 'smoke'\n[train]\nlr = 1\nepochs = 3\n");
  const auto second = write("2.toml", "[train]\nlr = 2\n");
  const Experiment e = load_experiment({first, second});
  EXPECT_EQ(e.train.learning_rate, 2);
  EXPECT_EQ(e.train.epochs, 3);
  EXPECT_EQ(e.name, "2");
}

TEST_F(ExperimentTest, SeedsAreShortForReplicatesAcrossFiles) {
  write("base.toml", "benchmark = 'smoke'\nseeds = [0, 1]\n");
  EXPECT_EQ(load("extends = 'base.toml'\n[sweep.replicates]\nseed = [4]\n").seeds, std::vector<std::int64_t>{4});
  EXPECT_EQ(refusal("benchmark = 'smoke'\nseeds = [1]\n[sweep.replicates]\nseed = [2]\n"),
            "experiment.toml:2:1: 'seeds' is short for 'seed' in [sweep.replicates], and this file has both; keep one");
}

TEST_F(ExperimentTest, ModelsMadeElsewhereStandInForTraining) {
  const Experiment e = load("benchmark = 'smoke'\nlosses = ['ce']\n[model]\nfeatures = 'f'\n");
  ASSERT_EQ(e.foreign.size(), 1u);
  EXPECT_EQ(e.foreign[0].features, "f");
  EXPECT_EQ(e.foreign[0].training, "unknown");
  EXPECT_TRUE(e.losses.empty());
  const Experiment two = load(
      "benchmark = 'smoke'\n[[model]]\ncheckpoint = 'a.pth'\nname = 'resnet50'\ntraining = 'Log_Norm'\nseed = "
      "3\n[[model]]\ncheckpoint = "
      "'b'\n");
  ASSERT_EQ(two.foreign.size(), 2u);
  EXPECT_EQ(two.foreign[0].checkpoint, "a.pth");
  EXPECT_EQ(two.foreign[0].architecture, "resnet50");
  EXPECT_EQ(two.foreign[0].training, "Log-Norm");
  EXPECT_EQ(two.foreign[0].seed, 3);
  EXPECT_FALSE(two.foreign[1].seed.has_value());
  const Experiment whole = load("benchmark = 'smoke'\n[model]\nfile = 'n.pt2'\n",
                                {"model.feature_node=flatten", "model.map_nodes=relu,relu_1"});
  EXPECT_EQ(whole.foreign.at(0).file, "n.pt2");
  EXPECT_EQ(whole.foreign.at(0).feature_node, "flatten");
  EXPECT_EQ(whole.foreign.at(0).map_nodes, (std::vector<std::string>{"relu", "relu_1"}));
  EXPECT_EQ(load("benchmark = 'smoke'\n[model]\nname = 'resnet18_32x32'\n").networks,
            std::vector<std::string>{"resnet18_32x32"});
}

TEST_F(ExperimentTest, AListOfCheckpointsIsSoManyModels) {
  const Experiment e =
      load("benchmark = 'smoke'\n[model]\ncheckpoint = ['a.pth', 'runs/*/best.ckpt']\nlabel = ' mine '\n");
  ASSERT_EQ(e.foreign.size(), 2u);
  EXPECT_EQ(e.foreign[1].checkpoint, "runs/*/best.ckpt");
  EXPECT_EQ(e.foreign[1].label, "mine");
  EXPECT_TRUE(e.foreign[1].where.ends_with("experiment.toml:3:24")) << e.foreign[1].where;
  EXPECT_EQ(load("benchmark = 'smoke'\n", {"model.checkpoint=[a.pth,b.pth]"}).foreign.size(), 2u);
  EXPECT_EQ(load("benchmark = 'smoke'\n", {"model.checkpoint=a,b.pth"}).foreign.at(0).checkpoint, "a,b.pth");
  EXPECT_EQ(load("benchmark = 'smoke'\n[model]\ncheckpoint = 'a'\n").hash,
            load("benchmark = 'smoke'\n[model]\ncheckpoint = 'a'\nlabel = 'b'\n").hash);
  EXPECT_NE(refusal("benchmark = 'smoke'\n[model]\ncheckpoint = []\n").find("empty list"), std::string::npos);
  EXPECT_NE(refusal("benchmark = 'smoke'\n[model]\ncheckpoint = ['a', '']\n").find("is empty"), std::string::npos);
  EXPECT_NE(refusal("benchmark = 'smoke'\n[model]\ncheckpoint = ['a', 3]\n").find("checkpoint"), std::string::npos);
  EXPECT_NE(refusal("benchmark = 'smoke'\n[model]\ncheckpoint = 'a'\nlabel = ''\n").find("'label'"), std::string::npos);
}

TEST_F(ExperimentTest, OneBenchmarkIsShortForAListAcrossFilesAndOverrides) {
  write("base.toml", "benchmark = 'smoke'\n[model]\nname = 'resnet8'\n");
  const auto names = [](const Experiment& e) {
    std::vector<std::string> all;
    for (const NamedAt& named : e.benchmarks) all.push_back(named.name);
    return all;
  };
  using Names = std::vector<std::string>;
  const Experiment several = load("extends = 'base.toml'\nbenchmarks = ['a', 'b']\nmodels = ['x', 'y']\n");
  EXPECT_EQ(names(several), (Names{"a", "b"}));
  EXPECT_EQ(several.networks, (Names{"x", "y"}));
  EXPECT_EQ(names(load("extends = 'base.toml'\nbenchmarks = ['a', 'b']\n", {"benchmark=c"})), Names{"c"});
  EXPECT_EQ(names(load("extends = 'base.toml'\n", {"benchmarks=c,d"})), (Names{"c", "d"}));
  EXPECT_EQ(load("extends = 'base.toml'\nmodels = ['x', 'y']\n", {"model.name=z"}).networks, Names{"z"});
  EXPECT_EQ(load("extends = 'base.toml'\n", {"model.checkpoint=f"}).foreign.at(0).architecture, "resnet8");
  EXPECT_EQ(refusal("benchmark = 'a'\nbenchmarks = ['b']\n"),
            "experiment.toml:1:1: 'benchmark' is short for 'benchmarks', and this file has both; keep one");
  EXPECT_EQ(refusal("benchmarks = ['a', 'x/a.toml']\n"),
            "experiment.toml:1:20: 'x/a.toml' stands twice in 'benchmarks'");
  EXPECT_NE(refusal("benchmark = 'a'\nmodels = []\n").find("'models' is empty"), std::string::npos);
}

TEST_F(ExperimentTest, RefusesModelsThatSayTooMuchOrTooLittle) {
  EXPECT_EQ(refusal("benchmark = 'smoke'\n[model]\nfeatures = 'f'\ncheckpoint = 'c'\n"),
            "experiment.toml:3:12: [model] has both 'checkpoint' and 'features'; keep one");
  EXPECT_EQ(
      refusal("benchmark = 'smoke'\n[[model]]\nname = 'resnet50'\n"),
      "experiment.toml:2:1: [[model]] needs 'checkpoint' (a weights file), 'features' (a feature folder), 'file' (a "
      "network exported to .pt2) or 'torchscript'");
  EXPECT_EQ(refusal("benchmark = 'smoke'\n[model]\nfile = 'f'\ntorchscript = 'c'\n"),
            "experiment.toml:4:15: [model] has both 'file' and 'torchscript'; keep one");
  EXPECT_EQ(refusal("benchmark = 'smoke'\n[model]\ncheckpoint = 'c'\nmap_nodes = ['a']\n"),
            "experiment.toml:4:13: [model] names nodes, which only an exported network has: 'file' (a .pt2)");
  EXPECT_EQ(refusal("benchmark = 'smoke'\nmodel = 'x.ckpt'\n"),
            "experiment.toml:2:9: 'model' is a table or a list of tables, found text; did you mean model.name?");
}

TEST_F(ExperimentTest, TuningIsForAllOrForOnePostprocessor) {
  const Experiment e = load(
      "benchmark = 'smoke'\npostprocessors = ['msp', 'knn', 'mds']\ntune = 'openood'\n[postprocessor.knn]\ntune = { k "
      "= [5, 50] }\n"
      "[postprocessor.mds]\ntune = 'none'\n");
  EXPECT_EQ(e.postprocessors[0].tune.mode, TuneChoice::Mode::openood);
  EXPECT_EQ(e.postprocessors[1].tune.mode, TuneChoice::Mode::grid);
  EXPECT_EQ(e.postprocessors[1].tune.axes.at("k").values, (std::vector<ParamValue>{std::int64_t{5}, std::int64_t{50}}));
  EXPECT_TRUE(e.postprocessors[1].params.empty());
  EXPECT_EQ(e.postprocessors[2].tune.mode, TuneChoice::Mode::none);
  EXPECT_EQ(refusal("benchmark = 'smoke'\ntune = 'all'\n"),
            "experiment.toml:2:8: 'tune' in the top level is 'all'; expected \"openood\", \"none\"");
  EXPECT_EQ(refusal("benchmark = 'smoke'\n[postprocessor.knn]\ntune = { k = [] }\n"),
            "experiment.toml:3:14: 'k' in the grid of [postprocessor.knn] has no values");
}

TEST_F(ExperimentTest, RefusesUnknownKeysWithPlaceAndSuggestion) {
  EXPECT_EQ(refusal("benchmark = 'smoke'\n[train]\nepochs = 3\n  epoch = 4\n"),
            "experiment.toml:4:3: unknown key 'epoch' in [train]; did you mean 'epochs'?");
  EXPECT_EQ(refusal("benchmark = 'smoke'\npostprocesors = ['knn']\n"),
            "experiment.toml:2:1: unknown key 'postprocesors' at the top level; did you mean 'postprocessors'?");
  EXPECT_EQ(refusal("benchmark = 'smoke'\n[loss.ce.train]\nbatchsize = 3\n"),
            "experiment.toml:3:1: unknown key 'batchsize' in [loss.ce.train]; did you mean 'batch_size'?");
  EXPECT_EQ(refusal("benchmark = 'smoke'\n[run]\nzzzzzzzzz = 3\n"),
            "experiment.toml:3:1: unknown key 'zzzzzzzzz' in [run]");
}

TEST_F(ExperimentTest, AnErrorInAnExtendedFileNamesThatFile) {
  write("base.toml", "[train]\nmomentun = 0.5\n");
  EXPECT_EQ(refusal("extends = 'base.toml'\nbenchmark = 'smoke'\n"),
            "base.toml:2:1: unknown key 'momentun' in [train]; did you mean 'momentum'?");
}

TEST_F(ExperimentTest, RefusesWrongTypes) {
  EXPECT_EQ(refusal("benchmark = 'smoke'\n[train]\nlr = 'high'\n"),
            "experiment.toml:3:6: 'lr' in [train] takes a number, found text 'high'");
  EXPECT_EQ(refusal("benchmark = 3\n"), "experiment.toml:1:13: 'benchmarks' takes text in quotes, found integer 3");
  EXPECT_EQ(refusal("benchmark = 'smoke'\ntrain = 1\n"), "experiment.toml:2:9: 'train' takes a table, found integer 1");
  EXPECT_EQ(refusal("benchmark = 'smoke'\nlosses = [1]\n"),
            "experiment.toml:2:11: 'losses' takes text in quotes, found integer 1");
  EXPECT_EQ(refusal("benchmark = 'smoke'\n[train]\nepochs = 1.5\n"),
            "experiment.toml:3:10: 'epochs' in [train] takes an integer from 1 to 1000000, found number 1.5");
  EXPECT_EQ(refusal("benchmark = 'smoke'\n[train]\nflip = 1\n"),
            "experiment.toml:3:8: 'flip' in [train] takes true or false, found integer 1");
  EXPECT_EQ(refusal("benchmark = 'smoke'\n[postprocessor]\nknn = 5\n"),
            "experiment.toml:3:7: [postprocessor.knn] is a table of parameters, found an integer");
  EXPECT_EQ(
      refusal("benchmark = 'smoke'\n[postprocessor.knn]\nk = [5]\n"),
      "experiment.toml:3:5: 'k' in [postprocessor.knn]: a parameter is a boolean, a number or text, found a list");
}

TEST_F(ExperimentTest, RefusesValuesOutOfRange) {
  EXPECT_EQ(refusal("benchmark = 'smoke'\n[train]\nepochs = 0\n"),
            "experiment.toml:3:10: 'epochs' in [train] takes an integer from 1 to 1000000, found integer 0");
  EXPECT_EQ(refusal("benchmark = 'smoke'\n[train]\nlr = nan\n"),
            "experiment.toml:3:6: 'lr' in [train] takes a number that is finite, found number nan");
  EXPECT_EQ(refusal("benchmark = 'smoke'\nseeds = [0, -1]\n"),
            "experiment.toml:2:13: 'seed' in [sweep.replicates] takes integers of at least 0, found integer -1");
  EXPECT_EQ(refusal("benchmark = 'smoke'\n[train]\nwarmup_fraction = 1\n"),
            "experiment.toml:3:19: 'warmup_fraction' in [train] takes a number of at least 0, below 1, found 1");
  EXPECT_EQ(refusal("benchmark = 'smoke'\ndevice = 'cpus'\n"),
            "experiment.toml:2:10: 'device' takes cpu, cuda, cuda:N (that one) or cuda:all (a child on each), found "
            "'cpus'; did you mean 'cpu'?");
  EXPECT_EQ(refusal("benchmark = 'smoke'\n[data]\non_unreadable = 'ignore'\n"),
            "experiment.toml:3:17: 'on_unreadable' in [data] takes fail or skip, found 'ignore'");
}

TEST_F(ExperimentTest, ANameMayHaveARequirement) {
  const Experiment one = load(
      "benchmark = 'smoke'\nlosses = ['ce']\npostprocessors = ['k_n@ >= 1.2, < 2', 'k-n']\n[postprocessor.k_n]\nk = "
      "5\n");
  ASSERT_EQ(one.postprocessors.size(), 2u);
  EXPECT_EQ(one.postprocessors[0].wanted(), "k-n@>=1.2,<2");
  EXPECT_EQ(one.postprocessors[1].wanted(), "k-n");
  for (const PostprocessorChoice& choice : one.postprocessors) EXPECT_TRUE(choice.params.contains("k"));
  const Experiment same =
      load("benchmark = 'smoke'\n[postprocessor.k_n]\nk = 5\n", {"losses=ce", "postprocessors=k-n@>=1.2,<2,k-n"});
  EXPECT_EQ(same.postprocessors.size(), 2u);
  EXPECT_EQ(same.hash, one.hash);
  EXPECT_NE(load("benchmark = 'smoke'\nlosses = ['ce@1.0.0']\n").hash,
            load("benchmark = 'smoke'\nlosses = ['ce']\n").hash);
  EXPECT_EQ(refusal("benchmark = 'smoke'\nlosses = ['ce@new']\n").substr(0, 47),
            "experiment.toml:2:11: 'new' in '@new' is no con");
}

TEST_F(ExperimentTest, RefusesDuplicatesAndEmptyLists) {
  EXPECT_EQ(refusal("benchmark = 'smoke'\nlosses = ['a_b', 'a-b']\n"),
            "experiment.toml:2:18: 'a-b' stands twice in 'losses'");
  EXPECT_EQ(refusal("benchmark = 'smoke'\nseeds = []\n"),
            "experiment.toml:2:9: 'seeds' is empty; give at least one, like seeds = [0]");
  EXPECT_EQ(refusal("benchmark = 'smoke'\nseeds = [1, 1]\n"), "experiment.toml:2:9: a seed stands twice in 'seeds'");
  EXPECT_EQ(refusal("benchmark = 'smoke'\n[loss.a_b]\n[loss.a-b]\n").substr(0, 15), "experiment.toml");
}

TEST_F(ExperimentTest, RefusesANameThatIsNoFolder) {
  EXPECT_EQ(refusal("benchmark = 'smoke'\nname = '../x'\n").substr(0, 22), "experiment.toml:2:8: '");
  EXPECT_EQ(refusal("benchmark = 'smoke'\nname = ''\n").substr(0, 22), "experiment.toml:2:8: '");
}

TEST(Experiment, NeedsAFileOrOverridesThatSayEverything) {
  EXPECT_THROW(load_experiment({}), Error);
  const Experiment e = load_experiment({}, {"name=x", "benchmark=smoke", "losses=ce", "run.retries=3"});
  EXPECT_EQ(e.name, "x");
  EXPECT_EQ(e.losses.size(), 1u);
  EXPECT_EQ(e.retries, 3);
  EXPECT_THROW(load_experiment({}, {"benchmark=smoke"}), Error) << "it has no name";
}

TEST_F(ExperimentTest, LimitsOfMemoryAreBytesOrText) {
  const auto limit = [&](const std::string& value) {
    return load("benchmark = 'smoke'\n[run]\nmemory_limit = " + value + "\n").memory_limit;
  };
  EXPECT_EQ(load("benchmark = 'smoke'\n").memory_limit, 0);
  EXPECT_EQ(limit("'4GiB'"), std::int64_t{4} << 30);
  EXPECT_EQ(limit("1000000000"), 1'000'000'000);
  EXPECT_EQ(limit("0"), 0);
  EXPECT_EQ(load("benchmark = 'smoke'\n", {"run.memory_limit=1.5GiB"}).memory_limit, std::int64_t{3} << 29);
  for (const char* wrong : {"'much'", "1.5", "-5", "'10MiB'", "[1]"}) {
    const std::string said = refusal(std::string("benchmark = 'smoke'\n[run]\nmemory_limit = ") + wrong + "\n");
    EXPECT_NE(said.find("experiment.toml:3:"), std::string::npos) << said;
    EXPECT_NE(said.find("at least 256MiB"), std::string::npos) << said;
  }
}

TEST_F(ExperimentTest, HowARunGoesOnIsNoPartOfItsIdentity) {
  const std::string text = "benchmark = 'smoke'\nlosses = ['ce']\n";
  EXPECT_EQ(load(text).hash, load(text, {"run.hung_seconds=5", "run.retries=0", "run.memory_limit=1GiB"}).hash);
  EXPECT_EQ(load(text).hung_seconds, 3600);
  EXPECT_EQ(load(text).retries, 1);
}

}  // namespace
}  // namespace nearfar
