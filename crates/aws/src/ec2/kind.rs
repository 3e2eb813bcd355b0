//! What about an instance type decides how a host of it is set up.

use spillway_core::Arch;

/// Hosts of one kind share an image and a launch template.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct HostKind {
    pub(crate) arch: Arch,
    /// It has NVIDIA GPUs, so it needs the image with the drivers.
    pub(crate) gpu: bool,
    /// It earns CPU credits, so it must be told not to buy more. Other types refuse that option.
    pub(crate) burstable: bool,
}

impl HostKind {
    /// The kind of `instance_type`, from its name (EC2 user guide, "Instance type naming conventions").
    pub(crate) fn of(instance_type: &str, arch: Arch) -> Self {
        let family = instance_type.split('.').next().unwrap_or(instance_type);
        Self { arch, gpu: is_nvidia(family), burstable: is_burstable(family) }
    }
}

/// `g4dn`, `gr6`, `p5en`: the letters before the first digit name the series. `g4ad` has AMD's GPUs.
fn is_nvidia(family: &str) -> bool {
    let series = family.split(|c: char| c.is_ascii_digit()).next().unwrap_or_default();
    let is_accelerated = matches!(series, "g" | "gr" | "p");
    is_accelerated && !family.starts_with("g4ad")
}

/// T2, T3, T3a and T4g ("Burstable performance instances"). T1 came before credits.
fn is_burstable(family: &str) -> bool {
    matches!(family, "t2" | "t3" | "t3a" | "t4g")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gpus_and_credits_are_told_by_the_family() {
        let kind = |name| {
            let kind = HostKind::of(name, Arch::X86_64);
            (kind.gpu, kind.burstable)
        };

        for name in ["g4dn.xlarge", "g5.2xlarge", "gr6.4xlarge", "p3.2xlarge", "p5en.48xlarge"] {
            assert_eq!(kind(name), (true, false), "{name}");
        }
        for name in ["t2.micro", "t3.large", "t3a.large", "t4g.small"] {
            assert_eq!(kind(name), (false, true), "{name}");
        }
        for name in ["t1.micro", "trn1.2xlarge", "g4ad.xlarge", "m7g.large", "c5.large"] {
            assert_eq!(kind(name), (false, false), "{name}");
        }
    }
}
