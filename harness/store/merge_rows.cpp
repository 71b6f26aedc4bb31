#include "store/merge_rows.h"

#include <fmt/core.h>

namespace nearfar {

const std::vector<CopiedTable>& tables_of_a_run() {
  using enum ColumnRule;
  static const std::vector<CopiedTable> tables = {
      {"metric",
       {{"protocol", name}, {"set_group", name}, {"dataset", name}, {"metric", name}, {"value_fraction", number}}},
      {"measure", {{"set_name", path}, {"name", name}, {"unit", name}, {"value", number}}},
      {"score_set", {{"set_name", path}, {"path", path}, {"sha256", hex}, {"score_count", number}}},
      {"curve", {{"name", name}, {"step", number}, {"value", number}}},
      {"tune_point",
       {{"place", number}, {"params", name}, {"auroc_fraction", number}, {"refused", text}, {"chosen", number}}},
      {"network_pass",
       {{"set_name", path},
        {"forward_images", number},
        {"gradient_images", number},
        {"changed_images", number},
        {"float64_images", number}}},
      {"artifact", {{"name", name}, {"path", path}, {"sha256", hex}, {"size_bytes", number}}},
  };
  return tables;
}

const std::vector<CopiedColumn>& columns_of_a_run() {  // besides uid, cell_key, attempt, location_id, plugin_id
  using enum ColumnRule;
  static const std::vector<CopiedColumn> columns = {{"state", name},
                                                    {"owner", name},
                                                    {"device", name},
                                                    {"thread_count", number},
                                                    {"engine_version", name},
                                                    {"numerics", name},
                                                    {"log_file", path},
                                                    {"started_unix_ms", number},
                                                    {"finished_unix_ms", number},
                                                    {"message", text},
                                                    {"flags", name},
                                                    {"classifier", name},
                                                    {"train_seconds", number},
                                                    {"epoch_count", number},
                                                    {"final_train_loss", number},
                                                    {"val_accuracy_fraction", number},
                                                    {"fit_seconds", number},
                                                    {"score_seconds", number}};
  return columns;
}

const std::vector<CopiedColumn>& columns_of_a_cell() {  // key and train_key come first
  using enum ColumnRule;
  static const std::vector<CopiedColumn> columns = {{"kind", name},
                                                    {"model_key", hex},
                                                    {"label", name},
                                                    {"benchmark", name},
                                                    {"data_hash", name},
                                                    {"architecture", name},
                                                    {"head", name},
                                                    {"training", name},
                                                    {"training_params", name},
                                                    {"recipe", name},
                                                    {"seed", number},
                                                    {"image_set", path},
                                                    {"postprocessor", name},
                                                    {"postprocessor_params", name},
                                                    {"identity_json", text}};
  return columns;
}

std::string names(const std::vector<CopiedColumn>& columns) {
  std::string text;
  for (const CopiedColumn& column : columns) text += fmt::format("{}{}", text.empty() ? "" : ", ", column.name);
  return text;
}
std::string marks(std::size_t count) {
  std::string text;
  for (std::size_t i = 0; i < count; ++i) text += i == 0 ? "?" : ", ?";
  return text;
}

namespace {

TextRule text_rule(ColumnRule rule) {
  switch (rule) {
    case ColumnRule::text:
      return TextRule::text;
    case ColumnRule::path:
      return TextRule::path;
    case ColumnRule::hex:
      return TextRule::hex;
    default:
      return TextRule::name;
  }
}

}  // namespace

void copy_columns(const Shard& shard, SQLite::Statement& from, int first, SQLite::Statement& to, int mark,
                  const std::vector<CopiedColumn>& columns, std::string_view table) {
  for (const CopiedColumn& column : columns) {
    const SQLite::Column value = from.getColumn(first++);
    const bool is_number = value.isInteger() || value.isFloat();
    if (value.isBlob() || (column.rule == ColumnRule::number) != (is_number || value.isNull()))
      shard.refuse(fmt::format("{}.{} has a value of another type", table, column.name));
    if (value.isNull()) {
      to.bind(mark++);
    } else if (value.isInteger()) {
      to.bind(mark++, value.getInt64());
    } else if (value.isFloat()) {
      to.bind(mark++, value.getDouble());
    } else {
      const std::string text = value.getString();
      shard.check(text, text_rule(column.rule), fmt::format("{}.{}", table, column.name));
      to.bind(mark++, text);
    }
  }
}

}  // namespace nearfar
