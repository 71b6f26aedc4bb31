//! <%name%>: what it pulls together and pushes apart, in a line. Author and year, arXiv:NNNN.NNNNN.
mod nearfar;

use nearfar::{guarded, Error, Host, LossInput, LossOutput, Param, Plugin, Traits, Value};
use std::ffi::c_void;
use std::ptr::null;

// The version goes up whenever losses change: results of another version are other results.
note!("loss", "<%name%>", "0.1.0");

static PARAMS: [Param; 1] = [Param {
    name: text!("temperature"),
    kind: nearfar::NUMBER,
    reserved: 0,
    default_number: 1.0,
    default_text: null(),
    minimum: 1e-3,
    maximum: 1e6,
    choices: null(),
    help: text!("softmax temperature T"),
}];

struct Method {
    temperature: f64,
}

impl Method {
    /// YOUR FORMULA. The loss of one row, and its derivative by each logit (`gradient` is empty where none is wanted), both divided by the number
    /// of rows; here the cross-entropy of logits / T.
    fn row(&self, logits: &[f32], label: usize, gradient: &mut [f32], rows: f64) -> f64 {
        let largest = logits.iter().fold(f64::NEG_INFINITY, |so_far, &z| so_far.max(f64::from(z)));
        let power = |z: f32| ((f64::from(z) - largest) / self.temperature).exp();
        let sum: f64 = logits.iter().map(|&z| power(z)).sum();
        for (c, by_logit) in gradient.iter_mut().enumerate() {
            let hot = if c == label { 1.0 } else { 0.0 };
            *by_logit = ((power(logits[c]) / sum - hot) / (self.temperature * rows)) as f32;
        }
        ((largest - f64::from(logits[label])) / self.temperature + sum.ln()) / rows
    }
}

unsafe extern "C" fn create(values: *const Value, _count: u32, made: *mut *mut c_void, error: *mut Error) -> i32 {
    guarded(error, || {
        let temperature = (*values).number; // in the table's order
        *made = Box::into_raw(Box::new(Method { temperature })) as *mut c_void;
        Ok(())
    })
}

unsafe extern "C" fn destroy(object: *mut c_void) {
    drop(Box::from_raw(object as *mut Method));
}

unsafe extern "C" fn traits(_values: *const Value, _count: u32, _wanted: *mut Traits, _error: *mut Error) -> i32 {
    nearfar::OK // the defaults: one view, logits of a linear head
}

unsafe extern "C" fn loss(object: *mut c_void, input: *const LossInput, output: *mut LossOutput, error: *mut Error) -> i32 {
    guarded(error, || {
        let method = &*(object as *const Method);
        let logits = &(*input).output;
        let (rows, classes) = (logits.size(0), logits.size(1));
        let gradient = (*output).output_gradient.values_mut::<f32>(rows * classes);
        let mut total = 0.0;
        for (i, &label) in (*input).labels.values::<i64>(rows).iter().enumerate() {
            if label < 0 || label >= classes as i64 {
                return Err((nearfar::ERROR_DATA, format!("label {} of row {}; expected 0 to {}", label, i, classes - 1)));
            }
            let of_row = if gradient.is_empty() { &mut [] } else { &mut gradient[i * classes..(i + 1) * classes] };
            total += method.row(logits.row(i), label as usize, of_row, rows as f64);
        }
        (*output).value = total;
        Ok(())
    })
}

static PLUGIN: Plugin = Plugin {
    kind: nearfar::LOSS,
    name: text!("<%name%>"),
    version: text!("0.1.0"),
    summary: text!("cross-entropy at a temperature"),
    reference: text!("none"),
    param_count: 1,
    params: &PARAMS as *const Param,
    create: Some(create),
    destroy: Some(destroy),
    traits: Some(traits),
    loss: Some(loss),
    ..nearfar::NONE
};

/// # Safety: called by the host.
#[no_mangle]
pub unsafe extern "C" fn nearfar_plugin_v1(host: *const Host) -> *const Plugin {
    if (*host).abi >= nearfar::ABI { &PLUGIN } else { null() }
}
