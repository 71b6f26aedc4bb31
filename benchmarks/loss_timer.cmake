nearfar_bench(loss_timer LIBS nearfar::host nearfar::base)
