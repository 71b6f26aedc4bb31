#pragma once
/// Private to report/: values for the templates of pages.
#include <kainjow/mustache.hpp>

#include <string>
#include <vector>

namespace nearfar {

/// One item with `text` for each.
inline kainjow::mustache::data text_items(const std::vector<std::string>& texts) {
  kainjow::mustache::data list(kainjow::mustache::data::type::list);
  for (const std::string& text : texts) {
    kainjow::mustache::data item;
    item.set("text", text);
    list.push_back(item);
  }
  return list;
}

}  // namespace nearfar
