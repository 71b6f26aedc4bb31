// The names that libnearfar_cuda.so uses of libtorch_cuda.so: what the module is linked against, so that building it
// needs no 456 MB library, and what tests load it with where CUDA is not installed. Does nothing. A name that is
// missing here is an error of the linker; one that the real library lacks is an error when the module is loaded.
// at::cuda::CUDAGraph: constructor, destructor, capture_begin, capture_end, replay.
extern "C" {
void _ZN2at4cuda9CUDAGraphC1Eb() {}
void _ZN2at4cuda9CUDAGraphD1Ev() {}
void _ZN2at4cuda9CUDAGraph13capture_beginESt4pairIyyE21cudaStreamCaptureMode() {}
void _ZN2at4cuda9CUDAGraph11capture_endEv() {}
void _ZN2at4cuda9CUDAGraph6replayEv() {}
}
