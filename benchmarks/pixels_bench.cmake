nearfar_bench(pixels_bench LIBS nearfar::pixels nearfar::base fmt::fmt)
