//! <%name%>: what it scores by, in a line. Author and year, arXiv:NNNN.NNNNN.
mod nearfar;

use nearfar::{guarded, Batch, Error, Host, Param, Plugin, Tensor, Value};
use std::ffi::c_void;
use std::ptr::null;

// The version goes up whenever scores change: results of another version are other results.
note!("postprocessor", "<%name%>", "0.1.0");

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
    /// YOUR FORMULA. The score of one row, higher = more out-of-distribution; here -T logsumexp(logits / T).
    fn score(&self, logits: &[f32]) -> f64 {
        let largest = logits.iter().fold(f64::NEG_INFINITY, |so_far, &z| so_far.max(f64::from(z)));
        let sum: f64 = logits.iter().map(|&z| ((f64::from(z) - largest) / self.temperature).exp()).sum();
        -largest - self.temperature * sum.ln()
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

unsafe extern "C" fn score(object: *const c_void, batch: *const Batch, scores: *mut Tensor, error: *mut Error) -> i32 {
    guarded(error, || {
        let method = &*(object as *const Method);
        let logits = &(*batch).logits;
        let rows = logits.size(0);
        for (i, score) in (*scores).values_mut::<f32>(rows).iter_mut().enumerate() {
            *score = method.score(logits.row(i)) as f32;
        }
        Ok(())
    })
}

static PLUGIN: Plugin = Plugin {
    kind: nearfar::POSTPROCESSOR,
    name: text!("<%name%>"),
    version: text!("0.1.0"),
    summary: text!("free energy of the logits"),
    reference: text!("none"),
    needs: nearfar::NEEDS_LOGITS,
    param_count: 1,
    params: &PARAMS as *const Param,
    create: Some(create),
    destroy: Some(destroy),
    score: Some(score),
    ..nearfar::NONE
};

/// # Safety: called by the host.
#[no_mangle]
pub unsafe extern "C" fn nearfar_plugin_v1(host: *const Host) -> *const Plugin {
    if (*host).abi >= nearfar::ABI { &PLUGIN } else { null() }
}
