//! One text for one JSON value: keys in order, no blanks.

use serde_json::Value;

/// The canonical JSON of a value: objects with their keys in the order of their bytes, nothing between the tokens. The order in which a
/// server writes its fields, and how it lays them out, makes no difference; everything else does.
pub fn canonical(value: &Value) -> String {
    let mut out = String::new();
    write(value, &mut out);
    out
}

fn write(value: &Value, out: &mut String) {
    match value {
        Value::Object(fields) => {
            // Whether a map keeps its keys in order depends on how serde_json was built; here it never does.
            let mut sorted: Vec<_> = fields.iter().collect();
            sorted.sort_unstable_by_key(|(key, _)| key.as_bytes());
            out.push('{');
            for (n, (key, value)) in sorted.into_iter().enumerate() {
                if n > 0 {
                    out.push(',');
                }
                out.push_str(&Value::String(key.clone()).to_string());
                out.push(':');
                write(value, out);
            }
            out.push('}');
        }
        Value::Array(items) => {
            out.push('[');
            for (n, value) in items.iter().enumerate() {
                if n > 0 {
                    out.push(',');
                }
                write(value, out);
            }
            out.push(']');
        }
        leaf => out.push_str(&leaf.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Map, json};

    use super::super::Described;
    use super::*;

    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::Bool),
            any::<i64>().prop_map(Value::from),
            any::<i32>().prop_map(|n| Value::from(f64::from(n) / 4.0)),
            "\\PC{0,12}".prop_map(Value::String),
        ];
        leaf.prop_recursive(4, 32, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::Array),
                prop::collection::vec(("\\PC{0,8}", inner), 0..5)
                    .prop_map(|fields| Value::Object(fields.into_iter().collect())),
            ]
        })
    }

    /// The same value, its objects built the other way round and read back from a text with blanks.
    fn otherwise(value: &Value) -> Value {
        let turned = match value {
            Value::Object(fields) => {
                Value::Object(fields.iter().rev().map(|(key, value)| (key.clone(), otherwise(value))).collect())
            }
            Value::Array(items) => Value::Array(items.iter().map(otherwise).collect()),
            leaf => leaf.clone(),
        };
        serde_json::from_str(&serde_json::to_string_pretty(&turned).unwrap()).unwrap()
    }

    /// How many places a value has, itself among them.
    fn places(value: &Value) -> usize {
        1 + match value {
            Value::Object(fields) => fields.values().map(places).sum(),
            Value::Array(items) => items.iter().map(places).sum(),
            _ => 0,
        }
    }

    /// The value with another one at its `at`th place.
    fn replaced(value: &Value, at: &mut usize) -> Value {
        if *at == 0 {
            *at = usize::MAX;
            return match value {
                Value::String(text) => Value::String(format!("{text}.")),
                Value::Null => Value::Bool(false),
                other => json!([other]),
            };
        }
        *at -= 1;
        match value {
            Value::Object(fields) => {
                Value::Object(fields.iter().map(|(key, value)| (key.clone(), replaced(value, at))).collect())
            }
            Value::Array(items) => Value::Array(items.iter().map(|value| replaced(value, at)).collect()),
            leaf => leaf.clone(),
        }
    }

    fn tool(name: &str, about: &str, schema: Value) -> Described {
        let schema: Map<String, Value> =
            [("type".to_owned(), json!("object")), ("x".to_owned(), schema)].into_iter().collect();
        Described { name: name.into(), about: about.into(), schema }
    }

    proptest! {
        #[test]
        fn order_and_layout_make_no_difference_and_the_text_is_the_value(value in any_value()) {
            let text = canonical(&value);
            prop_assert_eq!(&canonical(&otherwise(&value)), &text);
            prop_assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value.clone());
            prop_assert_eq!(tool("a", "b", otherwise(&value)).pin(), tool("a", "b", value).pin());
        }

        #[test]
        fn a_change_at_any_place_is_another_pin(value in any_value(), at in any::<prop::sample::Index>(), word in "[a-z ]{0,9}") {
            let mut place = at.index(places(&value));
            let other = replaced(&value, &mut place);
            let pin = tool("a", &word, value.clone()).pin();
            prop_assert_ne!(tool("a", &word, other).pin(), pin);
            prop_assert_ne!(tool("a", &format!("{word}!"), value.clone()).pin(), pin);
            prop_assert_ne!(tool("b", &word, value).pin(), pin);
        }

        #[test]
        fn what_moves_from_one_field_to_the_next_is_another_pin(a in "[a-z]{1,6}", b in "[a-z\",:{}]{1,6}", c in "[a-z]{0,6}") {
            prop_assert_ne!(tool(&format!("{a}{b}"), &c, Value::Null).pin(), tool(&a, &format!("{b}{c}"), Value::Null).pin());
        }
    }
}
