nearfar_bench(loading_bench LIBS nearfar::data nearfar::pixels nearfar::base fmt::fmt)
