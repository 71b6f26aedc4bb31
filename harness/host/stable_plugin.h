#pragma once
/// Plugins behind the C descriptor of <nearfar/c.h>, tiers stable and c, as the classes that the rest of nearfar uses.
/// What a C function refuses is thrown as Error; host/call.h's guard names the plugin.
#include <nearfar/c.h>
#include <nearfar/loss.h>
#include <nearfar/plugin_text.h>
#include <nearfar/postprocessor.h>

namespace nearfar {

/// What the host gives every plugin.
const nearfar_host& c_host();

/// The descriptor with what an older, smaller one lacks as zeros. Reads struct_size bytes, at most ours.
nearfar_plugin whole_descriptor(const nearfar_plugin& given);

/// Its texts and tables, borrowed.
PluginText plugin_text(const nearfar_plugin& plugin);

/// What is missing of a descriptor for its kind, or "": "has no function 'score'".
std::string descriptor_fault(const nearfar_plugin& plugin);

/// `plugin` lives as long as the process. `params` has a value for each row of its table. Owned by the caller. Throw as
/// the plugin does.
Postprocessor* make_c_postprocessor(const nearfar_plugin& plugin, const Params& params);
Loss* make_c_loss(const nearfar_plugin& plugin, const Params& params);
LossTraits c_loss_traits(const nearfar_plugin& plugin, const Params& params);

}  // namespace nearfar
