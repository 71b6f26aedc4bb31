/// Options of `bundle` and `verify`.
#include "cli/bundle_verbs.h"
#include "cli/options_parts.h"

#include <memory>

namespace nearfar {

Action declare_bundle(CLI::App& verb) {
  const auto bundle = std::make_shared<BundleArguments>();
  verb.add_option("-o,--output", bundle->output, "the bundle, X.tar.zst")->required();
  verb.add_option("--experiment", bundle->experiment, "only results of this experiment");
  add_expression(verb, bundle->expression);
  verb.add_option("--title", bundle->title, "what this is, in a line");
  verb.add_option("--author", bundle->author, "whose results these are");
  verb.add_option("--url", bundle->url, "where to read more");
  verb.add_flag("--with-checkpoints", bundle->checkpoints,
                "with the trained networks, so that scoring can be repeated");
  add_json(verb, bundle->database.json);
  add_database(verb, bundle->database);
  return [bundle] { return bundle_verb(*bundle); };
}

Action declare_verify(CLI::App& verb) {
  struct Arguments {
    std::string bundle;
    bool json = false;
  };
  const auto verify = std::make_shared<Arguments>();
  verb.add_option("bundle", verify->bundle, "X.tar.zst; or an output folder, or a database")->required();
  add_json(verb, verify->json);
  return [verify] { return verify_verb(verify->bundle, verify->json); };
}

}  // namespace nearfar
