nearfar_bench(train_items_bench LIBS nearfar::data fmt::fmt)
