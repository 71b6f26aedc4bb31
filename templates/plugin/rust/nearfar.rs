//! nearfar/c.h in Rust: its structs, of which that header is the contract; and what every plugin does with them. Standard library only.
#![allow(dead_code)]
use std::ffi::c_void;
use std::os::raw::c_char;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::ptr::null;

pub const ABI: u32 = 1;
pub const OK: i32 = 0;
pub const ERROR_DATA: i32 = 2;
pub const ERROR_PLUGIN: i32 = 3;
pub const END: i32 = 5;
pub const FLOAT32: i32 = 1;
pub const CPU: i32 = 1;
pub const POSTPROCESSOR: u32 = 1;
pub const LOSS: u32 = 2;
pub const INTEGER: i32 = 1;
pub const NUMBER: i32 = 2;
pub const NEEDS_LOGITS: u32 = 1;
pub const NEEDS_FEATURES: u32 = 2;
pub const NEEDS_NORMALIZED_FEATURES: u32 = 4;
pub const NEEDS_HEAD_WEIGHTS: u32 = 8;
pub const NEEDS_TRAIN: u32 = 64;
pub const NEEDS_VALIDATION: u32 = 128;

#[repr(C)]
pub struct Error {
    pub struct_size: u32,
    pub capacity: u32,
    pub text: *mut c_char,
}

#[repr(C)]
pub struct Tensor {
    pub data: *mut c_void,
    pub shape: *const i64,
    pub stride: *const i64,
    pub dims: i32,
    pub dtype: i32,
    pub device: i32,
    pub device_index: i32,
    pub handle: *mut c_void,
}

impl Tensor {
    /// # Safety: the tensor is there and has that dimension.
    pub unsafe fn size(&self, dimension: usize) -> usize {
        *self.shape.add(dimension) as usize
    }
    /// A row of a [N,W] float32 tensor. # Safety: it is one, contiguous in its rows.
    pub unsafe fn row(&self, row: usize) -> &[f32] {
        let first = (self.data as *const f32).offset(row as isize * *self.stride as isize);
        std::slice::from_raw_parts(first, self.size(1))
    }
    /// # Safety: a contiguous tensor of T, which nothing else writes.
    pub unsafe fn values<T>(&self, count: usize) -> &[T] {
        if count == 0 { &[] } else { std::slice::from_raw_parts(self.data as *const T, count) }
    }
    /// # Safety: as values(), and nobody else reads it. Empty where the tensor is missing.
    #[allow(clippy::mut_from_ref)]
    pub unsafe fn values_mut<T>(&self, count: usize) -> &mut [T] {
        if count == 0 || self.data.is_null() { &mut [] } else { std::slice::from_raw_parts_mut(self.data as *mut T, count) }
    }
}

#[repr(C)]
pub struct Param {
    pub name: *const c_char,
    pub kind: i32,
    pub reserved: i32,
    pub default_number: f64,
    pub default_text: *const c_char,
    pub minimum: f64,
    pub maximum: f64,
    pub choices: *const c_char,
    pub help: *const c_char,
}
unsafe impl Sync for Param {}

#[repr(C)]
pub struct Value {
    pub name: *const c_char,
    pub kind: i32,
    pub reserved: i32,
    pub integer: i64,
    pub number: f64,
    pub text: *const c_char,
}

#[repr(C)]
pub struct Host {
    pub struct_size: u32,
    pub abi: u32,
    pub version: *const c_char,
    pub parallel_for: Option<unsafe extern "C" fn(i64, i64, i64, unsafe extern "C" fn(i64, i64, *mut c_void), *mut c_void)>,
    pub threads: Option<unsafe extern "C" fn() -> i32>,
    pub log: Option<unsafe extern "C" fn(*const c_char)>,
}

#[repr(C)]
pub struct Batch {
    pub struct_size: u32,
    pub reserved: u32,
    pub features: Tensor,
    pub normalized: Tensor,
    pub logits: Tensor,
    pub labels: Tensor,
    pub observed: Tensor,
}

#[repr(C)]
pub struct Fit {
    pub struct_size: u32,
    pub reserved: u32,
    pub train: *const Batch,
    pub validation: *const Batch,
    pub head_weight: Tensor,
    pub head_bias: Tensor,
    pub classes: i64,
}

#[repr(C)]
pub struct Traits {
    pub struct_size: u32,
    pub views: i32,
    pub embedding: i32,
    pub normalized_embedding: i32,
    pub wants_features: i32,
    pub takes_soft_targets: i32,
    pub wants_auxiliary: i32,
    pub wants_class_means: i32,
    pub feature_temperature: f64,
    pub evaluated_temperature: f64,
    pub capturable: i32,
    pub reserved: i32,
}

#[repr(C)]
pub struct Setup {
    pub struct_size: u32,
    pub device: i32,
    pub device_index: i32,
    pub reserved: i32,
    pub classes: i64,
    pub output_width: i64,
    pub feature_width: i64,
    pub seed: u64,
    pub like: *mut c_void,
}

#[repr(C)]
pub struct LossInput {
    pub struct_size: u32,
    pub reserved: u32,
    pub output: Tensor,
    pub labels: Tensor,
    pub features: Tensor,
    pub soft_targets: Tensor,
    pub aux_output: Tensor,
    pub aux_features: Tensor,
    pub epoch: i64,
    pub step: i64,
    pub most_of_a_label: i64,
}

#[repr(C)]
pub struct LossOutput {
    pub struct_size: u32,
    pub parameters: u32,
    pub value: f64,
    pub loss: *mut c_void,
    pub output_gradient: Tensor,
    pub features_gradient: Tensor,
    pub aux_output_gradient: Tensor,
    pub aux_features_gradient: Tensor,
    pub parameter_gradients: *mut Tensor,
}

#[repr(C)]
pub struct State {
    pub struct_size: u32,
    pub parameter: i32,
    pub name: *const c_char,
    pub tensor: Tensor,
}

#[repr(C)]
pub struct Plugin {
    pub struct_size: u32,
    pub abi: u32,
    pub kind: u32,
    pub flags: u32,
    pub name: *const c_char,
    pub version: *const c_char,
    pub summary: *const c_char,
    pub reference: *const c_char,
    pub needs: u32,
    pub param_count: u32,
    pub params: *const Param,
    pub sweep: *const c_char,
    pub observed_params: *const c_char,
    pub source_hash: *const c_char,
    pub create: Option<unsafe extern "C" fn(*const Value, u32, *mut *mut c_void, *mut Error) -> i32>,
    pub destroy: Option<unsafe extern "C" fn(*mut c_void)>,
    pub fit: Option<unsafe extern "C" fn(*mut c_void, *const Fit, *mut Error) -> i32>,
    pub score: Option<unsafe extern "C" fn(*const c_void, *const Batch, *mut Tensor, *mut Error) -> i32>,
    /// Of plugins inside the network, which tier c has none of.
    pub observe: Option<unsafe extern "C" fn()>,
    pub traits: Option<unsafe extern "C" fn(*const Value, u32, *mut Traits, *mut Error) -> i32>,
    pub prepare: Option<unsafe extern "C" fn(*mut c_void, *const Setup, *mut Error) -> i32>,
    pub start: Option<unsafe extern "C" fn(*mut c_void, *const Tensor, *mut Error) -> i32>,
    pub loss: Option<unsafe extern "C" fn(*mut c_void, *const LossInput, *mut LossOutput, *mut Error) -> i32>,
    pub state: Option<unsafe extern "C" fn(*mut c_void, u32, *mut State, *mut Error) -> i32>,
}
unsafe impl Sync for Plugin {}

/// All fields zero: what a plugin does not have. The source hash is left to the host, which takes the library's own content.
pub const NONE: Plugin = Plugin {
    struct_size: std::mem::size_of::<Plugin>() as u32,
    abi: ABI,
    kind: 0,
    flags: 0,
    name: null(),
    version: null(),
    summary: null(),
    reference: null(),
    needs: 0,
    param_count: 0,
    params: null(),
    sweep: null(),
    observed_params: null(),
    source_hash: null(),
    create: None,
    destroy: None,
    fit: None,
    score: None,
    observe: None,
    traits: None,
    prepare: None,
    start: None,
    loss: None,
    state: None,
};

/// A constant as C has it: text!("name").
#[macro_export]
macro_rules! text {
    ($text:expr) => {
        concat!($text, "\0").as_ptr() as *const std::os::raw::c_char
    };
}

/// What is wrong, in words, and its status.
pub type Outcome = Result<(), (i32, String)>;

/// The status of `body`; its words, or those of a panic, go to `error`. Every function of a plugin is one such call: no panic may leave it.
///
/// # Safety: `error` is the host's.
pub unsafe fn guarded(error: *mut Error, body: impl FnOnce() -> Outcome) -> i32 {
    let (status, words) = match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(())) => return OK,
        Ok(Err(failure)) => failure,
        Err(_) => (ERROR_PLUGIN, "the plugin panicked; the reason is on stderr".to_string()),
    };
    if (*error).capacity > 0 {
        let room = ((*error).capacity as usize - 1).min(words.len());
        std::ptr::copy_nonoverlapping(words.as_ptr(), (*error).text as *mut u8, room);
        *(*error).text.add(room) = 0;
    }
    status
}

/// The note by which nearfar knows a library before it opens it; note! makes it.
#[repr(C)]
pub struct Note<const N: usize> {
    owner_size: u32,
    text_size: u32,
    kind: u32,
    owner: [u8; 8],
    text: [u8; N],
}

impl<const N: usize> Note<N> {
    pub const fn of(text: &str) -> Self {
        let bytes = text.as_bytes();
        let mut padded = [0u8; N];
        let mut i = 0;
        while i < bytes.len() {
            padded[i] = bytes[i];
            i += 1;
        }
        Note { owner_size: 8, text_size: bytes.len() as u32, kind: 1, owner: *b"nearfar\0", text: padded }
    }
}

/// note!("postprocessor", "my-method", "1.0.0"), once in a plugin.
#[macro_export]
macro_rules! note {
    ($kind:expr, $name:expr, $version:expr) => {
        const NEARFAR_NOTE_TEXT: &str = concat!("note=1\0tier=c\0kind=", $kind, "\0name=", $name, "\0version=", $version, "\0abi=1\0");
        #[used]
        #[link_section = ".note.nearfar"]
        static NEARFAR_NOTE: nearfar::Note<{ (NEARFAR_NOTE_TEXT.len() + 3) / 4 * 4 }> = nearfar::Note::of(NEARFAR_NOTE_TEXT);
    };
}
