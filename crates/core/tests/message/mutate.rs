//! A seeded mutator that knows what a message is made of: it changes values, keys, places and texts, and the same seed changes
//! the same. It is the fuzzer's mutator, and that of the tests which stand in for the fuzzer where there is none.

use serde_json::{Map, Value, json};

/// `SplitMix64` (Steele et al., "Fast splittable pseudorandom number generators"): small, and the same everywhere.
#[derive(Debug, Clone)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `n`, which is not 0.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(n).unwrap_or(1)).unwrap_or(0)
    }

    fn pick<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        &list[self.below(list.len())]
    }
}

/// Texts that mean something to one rule or another, or to nobody.
const TEXTS: [&str; 34] = [
    "",
    " ",
    "a",
    "default",
    "*",
    "Host EC2*",
    "0",
    "1",
    "-1",
    "1.5",
    "0.0001",
    "99999999999999999999",
    "1024",
    "1e3",
    "true",
    "null",
    "Ref::sample",
    "Ref::",
    "AWS_BATCH_JOB_ID",
    "SPILLWAY_X",
    "A=B",
    "arn:aws:iam::1:role/x",
    "../..",
    "/data/../etc",
    "fs-1",
    "align:1",
    "align:0",
    "2026-01-31T18:00:00Z",
    "290f9993-9821-5417-9e19-119b12a9b481:3",
    "\u{0}",
    "\u{FFFF}",
    "\u{1F980}",
    "VCPU",
    "START",
];

/// Pointers to every value in a tree.
fn places(value: &Value, here: &mut String, found: &mut Vec<String>) {
    found.push(here.clone());
    let n = here.len();
    match value {
        Value::Object(object) => {
            for (key, value) in object {
                here.push('/');
                here.push_str(&key.replace('~', "~0").replace('/', "~1"));
                places(value, here, found);
                here.truncate(n);
            }
        }
        Value::Array(items) => {
            for (index, value) in items.iter().enumerate() {
                here.push('/');
                here.push_str(&index.to_string());
                places(value, here, found);
                here.truncate(n);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn place(dice: &mut Dice, tree: &Value) -> String {
    let mut found = Vec::new();
    places(tree, &mut String::new(), &mut found);
    dice.pick(&found).clone()
}

/// A value that some rule is about, or that none expects.
fn odd_value(dice: &mut Dice) -> Value {
    match dice.below(12) {
        0 => Value::Null,
        1 => Value::Bool(dice.below(2) == 0),
        2 => json!(*dice.pick(&[
            0,
            1,
            -1,
            2,
            60,
            4096,
            65_536,
            i64::from(i32::MAX),
            i64::MAX,
            i64::MIN
        ])),
        3 => json!(*dice.pick(&[0.5, -0.0, 1e308, 1e-308])),
        4 => json!(u64::MAX),
        5 => Value::Array(Vec::new()),
        6 => Value::Object(Map::new()),
        7 => Value::from("x".repeat(*dice.pick(&[129, 256, 1_025, 9_000]))),
        8 => (0..*dice.pick(&[3, 70])).fold(json!(1), |inner, _| json!([inner])),
        _ => Value::from(*dice.pick(&TEXTS)),
    }
}

/// Changes one thing of a tree. `donor` gives what is put in from elsewhere.
fn mutate(dice: &mut Dice, tree: &mut Value, donor: &Value) {
    let at = place(dice, tree);
    let from = place(dice, donor);
    let given = donor.pointer(&from).cloned().unwrap_or_default();
    let odd = odd_value(dice);
    let text = *dice.pick(&TEXTS);
    let key_of = |pointer: &str| pointer.rsplit('/').next().unwrap_or_default().replace("~1", "/");
    let Some(value) = tree.pointer_mut(&at) else { return };
    match (dice.below(10), value) {
        (3, value) => *value = given,
        (4, Value::Object(object)) if !object.is_empty() => {
            let keys: Vec<String> = object.keys().cloned().collect();
            object.remove(dice.pick(&keys));
        }
        (4 | 5, Value::Array(items)) if !items.is_empty() => {
            let index = dice.below(items.len());
            if dice.below(2) == 0 {
                items.remove(index);
            } else {
                // One more, or so many that a limit is reached.
                let n = *dice.pick(&[1, 1, 1, 1, 10, 60]);
                let again = items[index].clone();
                items.extend(std::iter::repeat_n(again, n));
            }
        }
        (5, Value::Object(object)) if !object.is_empty() => {
            let keys: Vec<String> = object.keys().cloned().collect();
            let moved = object.remove(dice.pick(&keys)).unwrap_or_default();
            let name = if dice.below(2) == 0 { key_of(&from) } else { text.to_owned() };
            object.insert(name, moved);
        }
        (6, Value::Object(object)) => {
            object.insert(key_of(&from), given);
        }
        (6, Value::Array(items)) => items.push(given),
        (7, Value::String(string)) => {
            let keep = dice.below(string.chars().count() + 1);
            *string = string.chars().take(keep).chain(text.chars()).collect();
        }
        (8, Value::String(string)) => *string = string.to_ascii_uppercase(),
        (9, Value::Bool(on)) => *on = !*on,
        (_, value) => *value = odd,
    }
}

/// A message that was mutated a few times, as text: sometimes in an envelope, sometimes with letters lost.
pub(crate) fn message(dice: &mut Dice, corpus: &[Value]) -> String {
    let mut tree = dice.pick(corpus).clone();
    for _ in 0..=dice.below(4) {
        let donor = dice.pick(corpus).clone();
        mutate(dice, &mut tree, &donor);
    }
    let text = match dice.below(12) {
        0 => json!({"Type": "Notification", "TopicArn": "arn:x", "Message": tree.to_string()})
            .to_string(),
        1 => json!({"detail-type": "job", "detail": tree}).to_string(),
        _ => tree.to_string(),
    };
    if dice.below(8) != 0 {
        return text;
    }
    let mut letters: Vec<char> = text.chars().collect();
    let from = dice.below(letters.len() + 1);
    let to = (from + dice.below(20)).min(letters.len());
    let put: Vec<char> = dice.pick(&TEXTS).chars().collect();
    letters.splice(from..to, put);
    letters.into_iter().collect()
}
