nearfar_bench(image_list_bench LIBS nearfar::data nearfar::base)
