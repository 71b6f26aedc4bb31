# nearfar_warnings(target): the warnings every target of ours compiles clean under. Third-party headers are SYSTEM.
function(nearfar_warnings target)
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wshadow -Wconversion -Werror)
endfunction()
