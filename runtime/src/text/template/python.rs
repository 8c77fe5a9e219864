//! What Python's Jinja and the library transformers have that ours has not, or otherwise.

use super::nothing::Nothing;
use super::{date, json, methods, namespaces};
use minijinja::value::{Rest, ValueOrKwargs};
use minijinja::{Environment, Error, ErrorKind, State, Value, filters, functions};
use std::string::String;
use std::vec::Vec;

/// The name of the time, which no template has.
pub(super) const SECONDS: &str = "dram seconds";

/// Adds names to those that the crate has.
pub(super) fn add_names(environment: &mut Environment<'_>) {
    environment.set_unknown_method_callback(methods::call);
    environment.add_filter("tojson", json::dumps);
    environment.add_test("none", Nothing::is);
    environment.add_test("iterable", |value: &Value| !value.is_none() && value.try_iter().is_ok());
    environment.add_function("raise_exception", |reason: String| -> Result<Value, Error> {
        Err(refused(reason))
    });
    environment.add_function("strftime_now", |state: &mut State<'_, '_>, format: &str| {
        let seconds = state.lookup(SECONDS).and_then(|seconds| u64::try_from(seconds).ok());
        date::strftime(format, seconds.unwrap_or_else(date::now)).map_err(refused)
    });
    environment.remove_global("namespace");
    environment.add_function(namespaces::FUNCTION, functions::namespace);
    environment.add_filter("dram select", filters::select);
    environment.add_filter("dram selectattr", filters::selectattr);
    environment.add_filter("dram reject", filters::reject);
    environment.add_filter("dram rejectattr", filters::rejectattr);
    environment.add_filter("dram map", filters::map);
    environment.add_filter("select", walk("dram select"));
    environment.add_filter("selectattr", walk("dram selectattr"));
    environment.add_filter("reject", walk("dram reject"));
    environment.add_filter("rejectattr", walk("dram rejectattr"));
    environment.add_filter("map", walk("dram map"));
}

fn refused(reason: String) -> Error {
    Error::new(ErrorKind::InvalidOperation, reason)
}

/// A filter that takes [`Nothing`] for an empty list, by one that does not.
fn walk(
    filter: &'static str,
) -> impl Fn(&mut State<'_, '_>, Rest<ValueOrKwargs>) -> Result<Value, Error> {
    move |state, values| {
        let mut values = values.into_values();
        if values.first().is_some_and(Nothing::is) {
            values[0] = Vec::<Value>::new().into();
        }
        state.apply_filter(filter, &values)
    }
}
