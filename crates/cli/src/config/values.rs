//! The values of the configuration: how each is written (`"90s"`, `"2GiB"`, `"$12.50"`) and read again.
//!
//! Everything goes through text, so that a file, an environment variable and a flag accept the same.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use jiff::SignedDuration;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use spillway_core::{ConsumableName, CpuUnits, MiB, MicroUsd, MicroUsdPerHour, QueueName, Quota};
use spillway_engine::Weight;

/// A text or a number, as text: `4` and `"4"` are the same.
struct Scalar(String);

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ScalarVisitor;
        impl Visitor<'_> for ScalarVisitor {
            type Value = Scalar;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text, a number, or true or false")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Scalar, E> {
                Ok(Scalar(text.to_owned()))
            }
            fn visit_bool<E: de::Error>(self, flag: bool) -> Result<Scalar, E> {
                Ok(Scalar(flag.to_string()))
            }
            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Scalar, E> {
                Ok(Scalar(number.to_string()))
            }
            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Scalar, E> {
                Ok(Scalar(number.to_string()))
            }
            fn visit_f64<E: de::Error>(self, number: f64) -> Result<Scalar, E> {
                Ok(Scalar(number.to_string()))
            }
        }
        deserializer.deserialize_any(ScalarVisitor)
    }
}

/// Why a text is no value of its kind, with an example of one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not {expected}")]
pub struct ValueError {
    text: String,
    expected: &'static str,
}

macro_rules! value {
    ($(#[$doc:meta])* $name:ident($inner:ty), $kind:literal, $expected:literal, $parse:expr, $show:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub struct $name(pub $inner);

        impl $name {
            /// What a value of this kind looks like.
            pub const EXPECTED: &'static str = $expected;
        }

        impl FromStr for $name {
            type Err = ValueError;
            fn from_str(text: &str) -> Result<Self, ValueError> {
                let parse: fn(&str) -> Option<$inner> = $parse;
                let wrong = || ValueError { text: text.to_owned(), expected: $expected };
                parse(text.trim()).map(Self).ok_or_else(wrong)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let show: fn(&$inner) -> String = $show;
                f.pad(&show(&self.0))
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Scalar::deserialize(deserializer)?.0.parse().map_err(de::Error::custom)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }
            fn inline_schema() -> bool {
                true
            }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": ["string", $kind] })
            }
        }
    };
}

value!(
    /// A length of time, not negative.
    Span(SignedDuration),
    "number",
    "a duration such as \"90s\", \"5m\" or \"1h 30m\"",
    duration,
    |span| format!("{span:#}")
);
value!(
    /// An amount of memory.
    Memory(MiB),
    "number",
    "an amount of memory such as \"512MiB\" or \"2GiB\"",
    |text| text.parse().ok(),
    |mib| mib.to_string().replace(' ', "")
);
value!(
    /// A number of vCPUs.
    Vcpus(CpuUnits),
    "number",
    "a number of vCPUs such as 4 or 0.25",
    |text| text.parse().ok(),
    ToString::to_string
);
value!(
    /// Dollars per hour.
    Price(MicroUsdPerHour),
    "number",
    "a price per hour such as \"$12.50\"",
    |text| text.parse().ok(),
    |price| price.to_string().trim_end_matches("/h").to_owned()
);
value!(
    /// Dollars.
    Dollars(MicroUsd),
    "number",
    "an amount of money such as \"$12.50\"",
    |text| text.parse().ok(),
    ToString::to_string
);
value!(
    /// A whole number.
    Count(u32),
    "number",
    "a whole number such as 100",
    |text| text.parse().ok(),
    ToString::to_string
);

value!(
    /// Yes or no.
    Flag(bool),
    "boolean",
    "true or false",
    |text| text.parse().ok(),
    ToString::to_string
);

value!(
    /// AWS Batch's `weightFactor`.
    WeightFactor(Weight),
    "number",
    "a weight factor of 0.0001 to 999.9999, such as 0.5",
    |text| text.parse().ok(),
    ToString::to_string
);

/// How much there is of a consumable resource, `licences=10`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsumableTotal {
    /// Its name.
    pub name: ConsumableName,
    /// How much.
    pub total: u64,
}

impl FromStr for ConsumableTotal {
    type Err = ValueError;
    fn from_str(text: &str) -> Result<Self, ValueError> {
        let wrong = || ValueError {
            text: text.to_owned(),
            expected: "a name and how many there are, such as \"licences=10\"",
        };
        let (name, total) = text.split_once('=').ok_or_else(wrong)?;
        Ok(Self {
            name: name.trim().parse().map_err(|_| wrong())?,
            total: total.trim().parse().map_err(|_| wrong())?,
        })
    }
}

impl fmt::Display for ConsumableTotal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.name, self.total)
    }
}

impl<'de> Deserialize<'de> for ConsumableTotal {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Scalar::deserialize(deserializer)?.0.parse().map_err(de::Error::custom)
    }
}

impl Serialize for ConsumableTotal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// How long the jobs of one queue may wait, `nightly=6h`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueuePatience {
    /// The queue.
    pub queue: QueueName,
    /// How long.
    pub patience: Span,
}

impl FromStr for QueuePatience {
    type Err = ValueError;
    fn from_str(text: &str) -> Result<Self, ValueError> {
        let wrong = || ValueError {
            text: text.to_owned(),
            expected: "a queue and a duration such as \"nightly=6h\"",
        };
        let (queue, patience) = text.split_once('=').ok_or_else(wrong)?;
        Ok(Self {
            queue: queue.trim().parse().map_err(|_| wrong())?,
            patience: patience.parse().map_err(|_| wrong())?,
        })
    }
}

impl fmt::Display for QueuePatience {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.queue, self.patience)
    }
}

impl<'de> Deserialize<'de> for QueuePatience {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Scalar::deserialize(deserializer)?.0.parse().map_err(de::Error::custom)
    }
}

impl Serialize for QueuePatience {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// How many vCPUs one of EC2's quotas allows, `on-demand/standard=256`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VcpuQuota {
    /// Which quota.
    pub quota: Quota,
    /// How many.
    pub vcpus: Vcpus,
}

impl FromStr for VcpuQuota {
    type Err = ValueError;
    fn from_str(text: &str) -> Result<Self, ValueError> {
        let wrong = || ValueError {
            text: text.to_owned(),
            expected: "a quota and vCPUs such as \"on-demand/standard=256\" or \"spot/g=64\"",
        };
        let (quota, vcpus) = text.split_once('=').ok_or_else(wrong)?;
        Ok(Self {
            quota: quota.trim().parse().map_err(|_| wrong())?,
            vcpus: vcpus.parse().map_err(|_| wrong())?,
        })
    }
}

impl fmt::Display for VcpuQuota {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.quota, self.vcpus)
    }
}

impl<'de> Deserialize<'de> for VcpuQuota {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Scalar::deserialize(deserializer)?.0.parse().map_err(de::Error::custom)
    }
}

impl Serialize for VcpuQuota {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The word for "no limit".
const NO_LIMIT: &str = "none";

/// A length of time, such as `90s`, `1h 30m` or `7d`; none for a negative one. A day has 24 hours: what is measured with it is time that
/// passes, and no calendar's.
pub(crate) fn duration(text: &str) -> Option<SignedDuration> {
    let span: jiff::Span = text.parse().ok()?;
    let duration = span.to_duration(jiff::SpanRelativeTo::days_are_24_hours()).ok()?;
    (!duration.is_negative()).then_some(duration)
}

/// A limit, or `"none"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cap<T> {
    /// No limit.
    None,
    /// At most this.
    At(T),
}

/// Unsaid is no limit.
impl<T> Default for Cap<T> {
    fn default() -> Self {
        Self::None
    }
}

impl<T: Copy> Cap<T> {
    /// The limit, if there is one.
    pub const fn get(self) -> Option<T> {
        match self {
            Self::None => None,
            Self::At(limit) => Some(limit),
        }
    }
}

impl<T: fmt::Display> fmt::Display for Cap<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.pad(NO_LIMIT),
            Self::At(limit) => limit.fmt(f),
        }
    }
}

impl<'de, T: FromStr<Err: fmt::Display>> Deserialize<'de> for Cap<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Scalar::deserialize(deserializer)?.0;
        if text.eq_ignore_ascii_case(NO_LIMIT) {
            return Ok(Self::None);
        }
        text.parse().map(Self::At).map_err(|e| de::Error::custom(format!("{e}, or \"none\"")))
    }
}

impl<T: fmt::Display> Serialize for Cap<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<T> JsonSchema for Cap<T> {
    fn schema_name() -> Cow<'static, str> {
        "Cap".into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["string", "number"] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_written_as_they_are_read() {
        for text in ["1m 30s", "15m", "12h"] {
            assert_eq!(text.parse::<Span>().unwrap().to_string(), text);
        }
        assert_eq!("90s".parse::<Span>().unwrap().0, SignedDuration::from_secs(90));
        assert_eq!("1w 2d".parse::<Span>().unwrap().0, SignedDuration::from_hours(9 * 24));
        assert!("1 month".parse::<Span>().is_err() && "-1h".parse::<Span>().is_err());
        assert_eq!("2 GiB".parse::<Memory>().unwrap().to_string(), "2GiB");
        assert_eq!("$12.50".parse::<Price>().unwrap().to_string(), "$12.50");
        assert_eq!("a=6h".parse::<QueuePatience>().unwrap().to_string(), "a=6h");
        assert_eq!("0.25".parse::<Vcpus>().unwrap().to_string(), "0.25");
    }

    #[test]
    fn a_wrong_value_is_answered_with_an_example() {
        let error = "soon".parse::<Span>().unwrap_err();

        assert_eq!(
            error.to_string(),
            "\"soon\" is not a duration such as \"90s\", \"5m\" or \"1h 30m\""
        );
        assert!("-5s".parse::<Span>().is_err());
        assert!("nightly".parse::<QueuePatience>().is_err());
    }
}
