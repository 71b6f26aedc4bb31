nearfar_bench(score_timer LIBS nearfar::features nearfar::host nearfar::base)
