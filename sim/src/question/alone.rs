//! A case as a file of its own: the scenario without its question and its other cases.

use toml_edit::{Array, DocumentMut, Item, Value, value};

use crate::scenario::Located;

/// The text of the scenario that only `expect` is expected of, under that name. What is no TOML
/// stays as it is; the parser says so.
pub(super) fn alone(file: &str, name: &str, expect: &[Located]) -> String {
    let Ok(mut document) = file.parse::<DocumentMut>() else { return file.to_owned() };
    for key in ["question", "cases", "expect"] {
        document.remove(key);
    }
    set(&mut document, "name", name.into());
    if !expect.is_empty() {
        let wishes: Array = expect.iter().map(|wish| wish.text.as_str()).collect();
        set(&mut document, "expect", wishes.into());
    }
    document.to_string()
}

/// A remark above a key stays there.
fn set(document: &mut DocumentMut, key: &str, new: Value) {
    match document.get_mut(key) {
        Some(Item::Value(old)) => {
            let decor = old.decor().clone();
            *old = new;
            *old.decor_mut() = decor;
        }
        _ => document[key] = value(new),
    }
}
