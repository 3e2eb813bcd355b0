//! The variants that a job lists.

use serde::Serialize;
use spillway_core::{JobSpec, Variant, VariantOrd};

use super::job::{ResourcesView, shell_words};

/// One of them.
#[derive(Debug, Serialize)]
pub struct VariantView {
    /// Its number, from 1.
    pub variant: VariantOrd,
    /// The image.
    pub image: String,
    /// The command; empty is the image's own.
    pub command: Vec<String>,
    /// What it needs.
    pub resources: ResourcesView,
    /// The architecture asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arch: Option<spillway_core::Arch>,
    /// The kinds of GPU it accepts; none is any.
    #[serde(skip_serializing_if = "spillway_core::GpuKinds::is_any")]
    pub gpu_kinds: spillway_core::GpuKinds,
    /// How long its sender thinks that it will run, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected_duration_s: Option<i64>,
    #[serde(skip)]
    need: String,
}

/// All that a job lists.
pub(crate) fn of(spec: &JobSpec) -> Vec<VariantView> {
    let view = |ord: VariantOrd| {
        let variant: &Variant = spec.variant(ord)?;
        Some(VariantView {
            variant: ord,
            image: variant.image.clone(),
            command: variant.command.clone(),
            resources: (&variant.resources).into(),
            arch: variant.arch,
            gpu_kinds: variant.gpu_kinds,
            expected_duration_s: variant.expected_duration.map(|time| time.as_secs()),
            need: variant.resources.to_string(),
        })
    };
    spec.variant_ords().filter_map(view).collect()
}

impl VariantView {
    /// For people.
    pub(crate) fn text(&self) -> String {
        let arch = self.arch.map(|arch| format!(", {arch}")).unwrap_or_default();
        let kinds =
            if self.gpu_kinds.is_any() { String::new() } else { format!(" ({})", self.gpu_kinds) };
        let expected =
            self.expected_duration_s.map(|secs| format!(", {secs} s")).unwrap_or_default();
        let command = shell_words(&self.command);
        let Self { variant, image, need, .. } = self;
        format!("{variant}: {need}{kinds}{arch}{expected}: {image} {command}").trim_end().to_owned()
    }
}
