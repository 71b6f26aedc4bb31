#pragma once
/// Folders of image files, one a class, as an image list. Torch-free; safe from any thread.
#include "data/image_list.h"

#include <filesystem>
#include <string>
#include <vector>

namespace nearfar {

struct ClassFolder {
  std::string name;
  std::int32_t label = 0;
};

/// Names of the class folders in `folder` in natural order ("2" before "10"). Error(data) if it is no folder.
std::vector<std::string> class_folder_names(const std::filesystem::path& folder);

/// The first image file beside the class folders; "" = there is none.
std::string image_beside(const std::filesystem::path& folder);

/// Files ending in .jpg, .jpeg, .png, .webp, .gif or .bmp (in any case), at any depth of a class folder, sorted by
/// name; paths relative to `folder`. Of `classes` in their order; without them, of all folders in natural order,
/// numbered from 0. Files beside the class folders get the label -1 (only without `classes`): a flat folder of
/// out-of-distribution images.
/// Names that begin with a dot are passed over. Error(data): no folder, a class folder missing or without images, image
/// files of formats that are not read (.tiff, .ppm …; never silently fewer images), links to folders unless
/// `follow_links`.
ImageList list_class_folders(const std::filesystem::path& folder, const std::vector<ClassFolder>& classes,
                             bool follow_links);

}  // namespace nearfar
