#pragma once
/// Command line → the function of a verb. The only file that knows CLI11 is options.cpp.
namespace nearfar {

/// Parses and runs; returns the exit code. Throws what the verb throws; a usage error is Error(config).
int dispatch(int argc, char** argv);

}  // namespace nearfar
