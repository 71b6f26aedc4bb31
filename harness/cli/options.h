#pragma once
/// Command line → the function of a verb. Only options*.cpp know CLI11.
namespace nearfar {

/// Parses and runs; returns the exit code. Throws what the verb throws; a usage error is Error(config).
int dispatch(int argc, char** argv);

}  // namespace nearfar
