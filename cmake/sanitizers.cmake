# NEARFAR_SANITIZE = "", "address,undefined" or "thread": instruments our own code; LibTorch stays as it is, which both tolerate.
set(NEARFAR_SANITIZE "" CACHE STRING "sanitizers to build with, as given to -fsanitize=")
if(NEARFAR_SANITIZE)
  add_compile_options(-fsanitize=${NEARFAR_SANITIZE} -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${NEARFAR_SANITIZE})
endif()
