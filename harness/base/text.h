#pragma once
/// Small text helpers. Pure functions.
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace nearfar {

std::string_view trim(std::string_view text);
std::vector<std::string> split(std::string_view text, char separator);
std::string join(std::span<const std::string> parts, std::string_view separator);
std::string replace_all(std::string text, std::string_view from, std::string_view to);

/// The beginning of `text` that is at most `columns` characters wide (UTF-8: a character is kept whole or left out).
std::string_view clipped(std::string_view text, std::size_t columns);

/// "; did you mean 'temperature'?" for the nearest candidate by edit distance, or "" if none is near.
std::string suggestion(std::string_view wrong, std::span<const std::string> candidates);

/// Shortest text that reads back to the same double ("0.1", "1e-06", "3"); NaN and infinities as "nan", "inf", "-inf".
std::string number_text(double value);

/// "4GiB", "512 MB", "1.5T" or "1000" → bytes: K, M, G, T are powers of 1024, also with iB; kB, MB, GB, TB of 1000.
/// nullopt for anything else, and for more than 2^62.
std::optional<std::int64_t> bytes_from_text(std::string_view text);
/// "512 B", "1.5 MiB", "4 GiB": three digits.
std::string bytes_text(std::int64_t bytes);

/// OpenOOD's `temp_scaling` and our `temp-scaling` are the same plugin: underscores become hyphens.
std::string plugin_key(std::string_view name);

/// "a2" before "a10": runs of digits by their value, everything else by its bytes. A strict total order.
bool natural_less(std::string_view a, std::string_view b);

/// "ce/resnet8/s0 msp" → "ce/resnet8 msp": a label, or a sentence with labels, without the seeds.
std::string without_seed(std::string_view text);

/// Columns padded to equal width (UTF-8 aware), two blanks between; first row is the header. Numbers are right-aligned
/// by the caller's choice.
std::string table(const std::vector<std::vector<std::string>>& rows, const std::vector<bool>& right_aligned);

}  // namespace nearfar
