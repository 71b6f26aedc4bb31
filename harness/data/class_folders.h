#pragma once
/// Folders of image files, one a class, as an image list. Torch-free; safe from any thread.
#include "data/image_list.h"

#include <filesystem>
#include <string>
#include <vector>

namespace nearfar {

/// Files ending in .jpg, .jpeg, .png, .webp, .gif or .bmp (in any case), at any depth of a class folder, sorted by
/// name; paths relative to `folder`. Label i is `classes[i]`; without `classes`, the i-th folder sorted by name. Files
/// beside the class folders get the label -1 (only without `classes`): a flat folder of out-of-distribution images.
/// Names that begin with a dot are passed over. Error(data): no folder, a class folder missing or without images, image
/// files of formats that are not read (.tiff, .ppm …; never silently fewer images), links to folders unless
/// `follow_links`.
ImageList list_class_folders(const std::filesystem::path& folder, const std::vector<std::string>& classes,
                             bool follow_links);

}  // namespace nearfar
