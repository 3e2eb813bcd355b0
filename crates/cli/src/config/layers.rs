//! Where each value of the configuration comes from: built-in, file, environment variable or flag, the later the
//! stronger. It must never drop a key it does not know in silence.

mod nearest;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use schemars::generate::SchemaSettings;
use serde::Serialize;
use toml::{Table, Value};

use super::{Config, LedgerPlace};
use nearest::{nearest, nearest_of};

/// The prefix of the environment variables that set keys.
const PREFIX: &str = "SPILLWAY_";

/// `SPILLWAY_*` variables that are no keys: global flags read them.
const NO_KEYS: [&str; 3] = ["SPILLWAY_CONFIG", "SPILLWAY_FORMAT", "SPILLWAY_LOG_FORMAT"];

/// The configuration file in the working directory.
const FILE_HERE: &str = "spillway.toml";

/// What the configuration depends on outside itself. An argument, so that tests need no real environment.
#[derive(Debug, Clone, Default)]
pub struct Environment {
    /// The environment variables.
    pub variables: BTreeMap<String, String>,
    /// The working directory.
    pub directory: PathBuf,
}

impl Environment {
    /// The environment of this process. Variables that are not UTF-8 are left out.
    pub fn of_process() -> Self {
        let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        Self {
            variables: std::env::vars_os().filter_map(text).collect(),
            directory: std::env::current_dir().unwrap_or_default(),
        }
    }

    fn variable(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// The AWS region that the environment names.
    pub fn region(&self) -> Option<String> {
        let names = ["AWS_REGION", "AWS_DEFAULT_REGION"];
        names.iter().find_map(|name| self.variable(name)).map(str::to_owned)
    }

    /// An XDG base directory: the variable if it is absolute, else `under` in the home directory.
    fn xdg(&self, variable: &str, under: &str) -> Option<PathBuf> {
        let named = self.variable(variable).map(PathBuf::from).filter(|path| path.is_absolute());
        named.or_else(|| self.variable("HOME").map(|home| Path::new(home).join(under)))
    }

    /// Where the ledger is unless someone says otherwise; the same for the dispatcher and everyone who reads.
    fn ledger(&self) -> Option<PathBuf> {
        Some(self.state()?.join("ledger.db"))
    }

    /// Where this machine keeps what it does not need to keep.
    fn ledger_copy(&self) -> Option<PathBuf> {
        Some(self.state()?.join("ledger-copy.db"))
    }

    fn state(&self) -> Option<PathBuf> {
        Some(self.xdg("XDG_STATE_HOME", ".local/state")?.join("spillway"))
    }
}

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Nobody said otherwise.
    BuiltIn,
    /// The configuration file.
    File(PathBuf),
    /// An environment variable.
    Variable(String),
    /// A flag.
    Flag(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BuiltIn => f.write_str("built-in"),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Variable(name) => write!(f, "${name}"),
            Self::Flag(name) => f.write_str(name),
        }
    }
}

impl Serialize for Origin {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A flag that sets a key.
#[derive(Debug, Clone)]
pub struct Override {
    /// The key.
    pub key: &'static str,
    /// The flag, for messages.
    pub flag: &'static str,
    /// The value.
    pub value: String,
}

/// One key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// Its name, `limits.max-hosts`.
    pub name: String,
    /// What it means.
    pub help: String,
    is_list: bool,
}

impl Key {
    /// The environment variable that sets it.
    pub fn variable(&self) -> String {
        format!("{PREFIX}{}", self.name.replace(['.', '-'], "_").to_uppercase())
    }
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file that was named cannot be read.
    #[error("cannot read the configuration file {}", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// It is not TOML.
    #[error("{} is not valid TOML: {detail}", path.display())]
    Syntax {
        /// Which file.
        path: PathBuf,
        /// Where and why.
        detail: String,
    },
    /// It has a key nobody knows.
    #[error("{origin}: unknown key {key:?}")]
    UnknownKey {
        /// Where.
        origin: Origin,
        /// The key as it was written, with its tables.
        key: String,
        /// The known key that is most like it.
        nearest: Option<String>,
    },
    /// A value is not of the kind of its key.
    #[error("{origin}: {key}: {detail}")]
    Wrong {
        /// Where.
        origin: Origin,
        /// The key.
        key: String,
        /// What is wrong.
        detail: String,
    },
    /// A setting is missing, or several do not go together.
    #[error("{key}: {detail}")]
    Inconsistent {
        /// The key to change.
        key: &'static str,
        /// What is wrong.
        detail: String,
    },
}

impl ConfigError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Read { .. } => Some("name another with --config FILE, or leave it out".into()),
            Self::Syntax { .. } => None,
            Self::UnknownKey { nearest: Some(nearest), .. } => {
                Some(format!("did you mean {nearest:?}? `spillway config show` lists all keys"))
            }
            Self::UnknownKey { nearest: None, .. } | Self::Wrong { .. } => {
                Some("`spillway config show` lists all keys with their values".into())
            }
            Self::Inconsistent { key, .. } => Some(format!(
                "set {key} in spillway.toml, or ${PREFIX}{}",
                key.replace(['.', '-'], "_").to_uppercase()
            )),
        }
    }
}

/// The configuration, and where every value of it comes from.
#[derive(Debug, Clone)]
pub struct Resolved {
    /// The values.
    pub config: Config,
    /// The file that was read, if one was.
    pub file: Option<PathBuf>,
    /// What is odd but does no harm.
    pub warnings: Vec<String>,
    values: BTreeMap<String, (Value, Origin)>,
}

impl Resolved {
    /// Value and origin of a key; none if nobody set it and it has no default.
    pub fn value(&self, key: &Key) -> Option<(&Value, &Origin)> {
        self.values.get(&key.name).map(|(value, origin)| (value, origin))
    }
}

/// The JSON Schema of the configuration file.
pub fn schema() -> serde_json::Value {
    let mut settings = SchemaSettings::draft2020_12();
    settings.inline_subschemas = true;
    settings.into_generator().into_root_schema_for::<Config>().to_value()
}

/// All keys, in the order of their names.
pub fn keys() -> Vec<Key> {
    let mut keys = Vec::new();
    collect_keys(&schema(), "", &mut keys);
    keys.sort_by(|a, b| a.name.cmp(&b.name));
    keys
}

fn collect_keys(schema: &serde_json::Value, prefix: &str, keys: &mut Vec<Key>) {
    let Some(properties) = schema.get("properties").and_then(|p| p.as_object()) else { return };
    for (name, property) in properties {
        let name = format!("{prefix}{name}");
        if property.get("properties").is_some() {
            collect_keys(property, &format!("{name}."), keys);
            continue;
        }
        let help = property.get("description").and_then(|d| d.as_str()).unwrap_or_default();
        let is_list = property.get("type").is_some_and(|kind| kind == "array");
        keys.push(Key { name, help: help.replace('\n', " "), is_list });
    }
}

/// Puts all layers together.
pub fn resolve(
    environment: &Environment,
    file: Option<&Path>,
    overrides: &[Override],
) -> Result<Resolved, ConfigError> {
    let keys = keys();
    let mut values = built_in(environment)?;
    let file = find_file(environment, file);
    if let Some(path) = &file {
        let origin = Origin::File(path.clone());
        for (key, value) in read_file(&environment.directory.join(path), &keys)? {
            values.insert(key, (value, origin.clone()));
        }
    }
    for key in &keys {
        if let Some(text) = environment.variable(&key.variable()) {
            set(&mut values, key, text, Origin::Variable(key.variable()))?;
        }
    }
    for wanted in overrides {
        if let Some(key) = keys.iter().find(|key| key.name == wanted.key) {
            set(&mut values, key, &wanted.value, Origin::Flag(wanted.flag))?;
        }
    }
    let nested = nest(values.iter().map(|(key, (value, _))| (key.as_str(), value)));
    let mut config = deserialize(nested).map_err(|(key, detail)| {
        let origin = values.get(&key).map_or(Origin::BuiltIn, |(_, origin)| origin.clone());
        ConfigError::Wrong { origin, key, detail }
    })?;
    for of in config.queue.clone() {
        if !config.queues.contains(&of.name) {
            config.queues.push(of.name);
        }
    }
    check(&config)?;
    Ok(Resolved { config, file, warnings: unknown_variables(environment, &keys), values })
}

/// What no single value shows to be wrong.
fn check(config: &Config) -> Result<(), ConfigError> {
    let wrong = |key, detail: &str| Err(ConfigError::Inconsistent { key, detail: detail.into() });
    if config.queues.is_empty() {
        return wrong("queues", "at least one job queue is needed");
    }
    if config.batch_max.0 < config.batch_idle.0 {
        return wrong("batch-max", "it is shorter than batch-idle");
    }
    if config.observe_every.0 < jiff::SignedDuration::from_secs(1) {
        return wrong("observe-every", "at least 1s is needed between two looks at the fleet");
    }
    let mut queues = config.plan.queue_patience.iter().map(|of| &of.queue);
    if let Some(unknown) = queues.find(|queue| !config.queues.contains(queue)) {
        return wrong("plan.queue-patience", &format!("{unknown} is not one of `queues`"));
    }
    let mut queues = config.jobs.exceptions.iter().flat_map(|exception| &exception.queues);
    if let Some(unknown) = queues.find(|queue| !config.queues.contains(queue)) {
        return wrong("jobs.exceptions", &format!("{unknown} is not one of `queues`"));
    }
    if let [first, second, ..] = *config.job_events.places() {
        return wrong(second, &format!("{first} is set too, and news goes to one place"));
    }
    check_queues(config)?;
    super::budgets::check(config)?;
    if !(1..=300).contains(&config.plan.max_choices.0) {
        return wrong("plan.max-choices", "EC2 takes 1 to 300 choices in one launch");
    }
    Ok(())
}

/// Queues and pools are named once, and a queue names pools that there are.
fn check_queues(config: &Config) -> Result<(), ConfigError> {
    let wrong = |key, detail: String| Err(ConfigError::Inconsistent { key, detail });
    for (ord, queue) in config.queue.iter().enumerate() {
        let name = &queue.name;
        if config.queue.iter().take(ord).any(|other| other.name == *name) {
            return wrong("queue", format!("there are two of the name {name}"));
        }
        if let Some(pool) =
            queue.pools.iter().find(|pool| config.pool.iter().all(|known| known.name != **pool))
        {
            return wrong(
                "queue",
                format!("{name} names the pool {pool}, which is not a [[pool]]"),
            );
        }
        if 99 < queue.compute_reservation.0 {
            return wrong("queue", format!("{name}: compute-reservation is 0 to 99 percent"));
        }
        for (ord, share) in queue.shares.iter().enumerate() {
            if queue.shares.iter().take(ord).any(|other| other.share == share.share) {
                return wrong("queue", format!("{name} says twice what {} is", share.share));
            }
        }
    }
    for (ord, pool) in config.pool.iter().enumerate() {
        if config.pool.iter().take(ord).any(|other| other.name == pool.name) {
            return wrong("pool", format!("there are two of the name {}", pool.name));
        }
    }
    Ok(())
}

fn built_in(environment: &Environment) -> Result<BTreeMap<String, (Value, Origin)>, ConfigError> {
    let mut config = Config::default();
    if let Some(ledger) = environment.ledger() {
        config.ledger = LedgerPlace::File(ledger);
    }
    if let Some(copy) = environment.ledger_copy() {
        config.ledger_copy = copy;
    }
    let table = Table::try_from(config).map_err(|error| ConfigError::Wrong {
        origin: Origin::BuiltIn,
        key: String::new(),
        detail: error.to_string(),
    })?;
    let mut flat = Vec::new();
    flatten(table, "", &mut flat);
    Ok(flat.into_iter().map(|(key, value)| (key, (value, Origin::BuiltIn))).collect())
}

fn find_file(environment: &Environment, named: Option<&Path>) -> Option<PathBuf> {
    if let Some(path) = named {
        return Some(path.to_owned());
    }
    if environment.directory.join(FILE_HERE).is_file() {
        return Some(PathBuf::from(FILE_HERE));
    }
    let of_user = environment.xdg("XDG_CONFIG_HOME", ".config")?.join("spillway/config.toml");
    of_user.is_file().then_some(of_user)
}

/// Reads a configuration file by itself: `config check` and the file layer.
fn read_file(path: &Path, keys: &[Key]) -> Result<Vec<(String, Value)>, ConfigError> {
    let origin = || Origin::File(path.to_owned());
    let text = std::fs::read_to_string(path)
        .map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
    let syntax = |error: toml::de::Error| ConfigError::Syntax {
        path: path.to_owned(),
        detail: located(&text, &error),
    };
    let mut unknown = Vec::new();
    let parsed: Result<Config, _> = {
        let deserializer = toml::Deserializer::parse(&text).map_err(syntax)?;
        let mut note = |path: serde_ignored::Path<'_>| unknown.push(path.to_string());
        let deserializer = serde_ignored::Deserializer::new(deserializer, &mut note);
        serde_path_to_error::deserialize(deserializer)
    };
    if let Some(key) = unknown.into_iter().next() {
        let nearest = nearest(&key, keys);
        return Err(ConfigError::UnknownKey { origin: origin(), key, nearest });
    }
    if let Err(error) = parsed {
        let key = error.path().to_string();
        let detail = located(&text, error.inner());
        return Err(ConfigError::Wrong { origin: origin(), key, detail });
    }
    let table: Table = text.parse().map_err(syntax)?;
    let mut flat = Vec::new();
    flatten(table, "", &mut flat);
    Ok(flat)
}

/// The message of a TOML error, with its line.
fn located(text: &str, error: &toml::de::Error) -> String {
    let message = error.message();
    let Some(before) = error.span().and_then(|span| text.get(..span.start)) else {
        return message.to_owned();
    };
    format!("{message} (line {})", before.matches('\n').count() + 1)
}

fn set(
    values: &mut BTreeMap<String, (Value, Origin)>,
    key: &Key,
    text: &str,
    origin: Origin,
) -> Result<(), ConfigError> {
    let value = if key.is_list {
        let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
        Value::Array(items.map(|item| Value::String(item.to_owned())).collect())
    } else {
        Value::String(text.to_owned())
    };
    let alone = nest([(key.name.as_str(), &value)]);
    if let Err((_, detail)) = deserialize(alone) {
        return Err(ConfigError::Wrong { origin, key: key.name.clone(), detail });
    }
    values.insert(key.name.clone(), (value, origin));
    Ok(())
}

/// The configuration in a table, or the key that is wrong and why.
fn deserialize(table: Table) -> Result<Config, (String, String)> {
    serde_path_to_error::deserialize::<_, Config>(Value::Table(table))
        .map_err(|error| (error.path().to_string(), error.inner().message().to_owned()))
}

fn flatten(table: Table, prefix: &str, into: &mut Vec<(String, Value)>) {
    for (name, value) in table {
        let name = format!("{prefix}{name}");
        match value {
            Value::Table(inner) => flatten(inner, &format!("{name}."), into),
            Value::String(_)
            | Value::Integer(_)
            | Value::Float(_)
            | Value::Boolean(_)
            | Value::Datetime(_)
            | Value::Array(_) => into.push((name, value)),
        }
    }
}

/// The opposite of [`flatten`]; keys are at most two levels deep.
fn nest<'a>(values: impl IntoIterator<Item = (&'a str, &'a Value)>) -> Table {
    let mut table = Table::new();
    for (key, value) in values {
        let Some((outer, inner)) = key.split_once('.') else {
            table.insert(key.to_owned(), value.clone());
            continue;
        };
        let entry = table.entry(outer).or_insert_with(|| Value::Table(Table::new()));
        if let Value::Table(section) = entry {
            section.insert(inner.to_owned(), value.clone());
        }
    }
    table
}

fn unknown_variables(environment: &Environment, keys: &[Key]) -> Vec<String> {
    let known: Vec<String> = keys.iter().map(Key::variable).collect();
    let is_unknown = |name: &&String| {
        name.starts_with(PREFIX) && !NO_KEYS.contains(&name.as_str()) && !known.contains(name)
    };
    let warn = |name: &String| match nearest_of(name, known.iter().map(String::as_str)) {
        Some(nearest) => format!("${name} sets nothing; did you mean ${nearest}?"),
        None => format!("${name} sets nothing"),
    };
    environment.variables.keys().filter(is_unknown).map(warn).collect()
}

#[cfg(test)]
mod tests;
