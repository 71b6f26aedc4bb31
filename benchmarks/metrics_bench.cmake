nearfar_bench(metrics_bench LIBS nearfar::metrics nearfar::base fmt::fmt)
