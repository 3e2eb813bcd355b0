//! What a container gets from its host and from file systems: volumes, mounts, devices, memory for files and for swap.

use std::collections::BTreeSet;

use super::{Rejection, Warnings, check_chars, limits};
use crate::container::{
    ContainerSpec, Device, DevicePermission, Efs, Mount, Tmpfs, Volume, VolumeSource,
};
use crate::message::path::At;
use crate::message::shape::{self, LinuxParameters, Switch};

/// Mount options that ECS takes (AWS Batch API reference, `Tmpfs.mountOptions`); some take a value after `=`.
const MOUNT_OPTIONS: &[&str] = &[
    "defaults",
    "ro",
    "rw",
    "suid",
    "nosuid",
    "dev",
    "nodev",
    "exec",
    "noexec",
    "sync",
    "async",
    "dirsync",
    "remount",
    "mand",
    "nomand",
    "atime",
    "noatime",
    "diratime",
    "nodiratime",
    "bind",
    "rbind",
    "unbindable",
    "runbindable",
    "private",
    "rprivate",
    "shared",
    "rshared",
    "slave",
    "rslave",
    "relatime",
    "norelatime",
    "strictatime",
    "nostrictatime",
    "mode",
    "uid",
    "gid",
    "nr_inodes",
    "nr_blocks",
    "mpol",
];

/// The volumes; each name is there once.
pub(super) fn volumes(
    at: &At<'_>,
    list: Option<Vec<shape::Volume>>,
) -> Result<Vec<Volume>, Rejection> {
    let mut volumes: Vec<Volume> = Vec::new();
    for (index, written) in list.unwrap_or_default().into_iter().enumerate() {
        let at = at.index(index);
        let at_name = at.key("name");
        let name = written.name.ok_or_else(|| Rejection::missing(&at_name))?;
        check_chars(&at_name, &name, 1, limits::VOLUME_NAME_CHARS_MAX)?;
        if !name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_')) {
            return Err(Rejection::invalid(&at_name, &format!("{name:?} is not a volume's name"))
                .hint("letters, digits, hyphens and underscores are allowed"));
        }
        if volumes.iter().any(|volume| volume.name == name) {
            return Err(Rejection::invalid(&at_name, &format!("{name:?} is there twice")));
        }
        let host = written.host.and_then(|host| host.source_path).filter(|path| !path.is_empty());
        let source = match (host, written.efs_volume_configuration) {
            (Some(_), Some(_)) => {
                return Err(Rejection::invalid(&at, "is both on the host and on EFS")
                    .hint("keep host or efsVolumeConfiguration"));
            }
            (Some(path), None) => {
                let at = at.key("host");
                VolumeSource::Host { path: absolute(&at.key("sourcePath"), path)? }
            }
            (None, Some(written)) => {
                VolumeSource::Efs(efs(&at.key("efsVolumeConfiguration"), written)?)
            }
            (None, None) => VolumeSource::Scratch,
        };
        volumes.push(Volume { name, source });
    }
    Ok(volumes)
}

fn efs(at: &At<'_>, written: shape::EfsVolume) -> Result<Efs, Rejection> {
    let at_id = at.key("fileSystemId");
    let file_system = written.file_system_id.ok_or_else(|| Rejection::missing(&at_id))?;
    let is_id = file_system
        .strip_prefix("fs-")
        .is_some_and(|rest| !rest.is_empty() && rest.chars().all(|c| c.is_ascii_alphanumeric()));
    if !is_id {
        return Err(Rejection::invalid(&at_id, &format!("{file_system:?} is no file system's id"))
            .hint("an id looks like fs-0123456789abcdef0"));
    }
    let is_on = |switch: Option<Switch>| switch == Some(Switch::Enabled);
    let transit_encryption = is_on(written.transit_encryption);
    let at_port = at.key("transitEncryptionPort");
    let transit_port = written.transit_encryption_port.map(|port| {
        let what = || Rejection::invalid(&at_port, &format!("{port} is no port: 0 to 65535"));
        u16::try_from(port).map_err(|_| what())
    });
    let root = written.root_directory.filter(|root| !root.is_empty());
    let at_root = at.key("rootDirectory");
    if let Some(root) = &root {
        check_chars(&at_root, root, 1, limits::PATH_CHARS_MAX)?;
    }
    let authorization = written.authorization_config.unwrap_or_default();
    let access_point = authorization.access_point_id.filter(|id| !id.is_empty());
    let iam = is_on(authorization.iam);
    if !transit_encryption && (iam || access_point.is_some()) {
        let at = at.key("transitEncryption");
        return Err(Rejection::invalid(&at, "must be ENABLED for authorizationConfig"));
    }
    if access_point.is_some() && root.as_deref().is_some_and(|root| root != "/") {
        return Err(Rejection::invalid(&at_root, "must be / or left out with an access point"));
    }
    Ok(Efs {
        file_system,
        root,
        transit_encryption,
        transit_port: transit_port.transpose()?,
        access_point,
        iam,
    })
}

/// The mounts, each of a volume that is there.
pub(super) fn mounts(
    at: &At<'_>,
    list: Option<Vec<shape::MountPoint>>,
    volumes: &[Volume],
) -> Result<Vec<Mount>, Rejection> {
    let mut mounts: Vec<Mount> = Vec::new();
    for (index, written) in list.unwrap_or_default().into_iter().enumerate() {
        let at = at.index(index);
        let at_volume = at.key("sourceVolume");
        let volume = written.source_volume.ok_or_else(|| Rejection::missing(&at_volume))?;
        if volumes.iter().all(|known| known.name != volume) {
            return Err(Rejection::invalid(&at_volume, &format!("there is no volume {volume:?}"))
                .hint("volumes lists them by name"));
        }
        let path = mounted_at(&at, written.container_path)?;
        if mounts.iter().any(|mount| mount.path == path) {
            let at = at.key("containerPath");
            return Err(Rejection::invalid(&at, &format!("{path:?} is mounted twice")));
        }
        mounts.push(Mount { volume, path, read_only: written.read_only.unwrap_or(false) });
    }
    Ok(mounts)
}

/// Tells of volumes that no container mounts.
pub(super) fn warn_of_unused<'a>(
    at: &At<'_>,
    volumes: &[Volume],
    containers: impl Iterator<Item = &'a ContainerSpec>,
    warnings: &mut Warnings,
) {
    let used: BTreeSet<&str> =
        containers.flat_map(|c| &c.mounts).map(|mount| mount.volume.as_str()).collect();
    for unused in volumes.iter().filter(|volume| !used.contains(volume.name.as_str())) {
        let what = format!("no mount point uses the volume {:?}", unused.name);
        warnings.add(&at.to_string(), &what);
    }
}

/// The file systems in memory.
pub(super) fn tmpfs(at: &At<'_>, list: Option<Vec<shape::Tmpfs>>) -> Result<Vec<Tmpfs>, Rejection> {
    let mut file_systems = Vec::new();
    for (index, written) in list.unwrap_or_default().into_iter().enumerate() {
        let at = at.index(index);
        let path = mounted_at(&at, written.container_path)?;
        let at_size = at.key("size");
        let size = written.size.ok_or_else(|| Rejection::missing(&at_size))?;
        let size_mib = mib(&at_size, size, 1)?;
        let options = written.mount_options.unwrap_or_default();
        for (index, option) in options.iter().enumerate() {
            let name = option.split_once('=').map_or(option.as_str(), |(name, _)| name);
            if !MOUNT_OPTIONS.contains(&name) {
                let at = at.key("mountOptions");
                let what = format!("{option:?} is no mount option that ECS takes");
                return Err(Rejection::invalid(&at.index(index), &what));
            }
        }
        file_systems.push(Tmpfs { path, size_mib, options });
    }
    Ok(file_systems)
}

/// The devices; each path is there once.
pub(super) fn devices(
    at: &At<'_>,
    list: Option<Vec<shape::Device>>,
) -> Result<Vec<Device>, Rejection> {
    let mut devices = Vec::new();
    let mut seen = BTreeSet::new();
    for (index, written) in list.unwrap_or_default().into_iter().enumerate() {
        let at = at.index(index);
        let at_host = at.key("hostPath");
        let host_path = written.host_path.ok_or_else(|| Rejection::missing(&at_host))?;
        let host_path = absolute(&at_host, host_path)?;
        let container_path = written.container_path.filter(|path| !path.is_empty());
        let at_container = at.key("containerPath");
        let container_path =
            container_path.map(|path| absolute(&at_container, path)).transpose()?;
        let shown = container_path.as_ref().unwrap_or(&host_path);
        if !seen.insert(shown.clone()) {
            return Err(Rejection::invalid(&at, &format!("{shown:?} is there twice")));
        }
        let permission = |permission: shape::DevicePermission| match permission {
            shape::DevicePermission::Read => DevicePermission::Read,
            shape::DevicePermission::Write => DevicePermission::Write,
            shape::DevicePermission::Mknod => DevicePermission::Mknod,
        };
        let permissions: BTreeSet<DevicePermission> =
            written.permissions.unwrap_or_default().into_iter().map(permission).collect();
        let permissions = permissions.into_iter().collect();
        devices.push(Device { host_path, container_path, permissions });
    }
    Ok(devices)
}

/// How much may be swapped, and how readily.
pub(super) fn swap(
    at: &At<'_>,
    linux: &LinuxParameters,
    warnings: &mut Warnings,
) -> Result<(Option<u32>, Option<u32>), Rejection> {
    let max_swap = linux.max_swap.map(|swap| mib(&at.key("maxSwap"), swap, 0)).transpose()?;
    let Some(swappiness) = linux.swappiness else { return Ok((max_swap, None)) };
    let at = at.key("swappiness");
    let in_range = u32::try_from(swappiness).ok().filter(|swappiness| *swappiness <= 100);
    let swappiness = in_range
        .ok_or_else(|| Rejection::invalid(&at, &format!("must be 0 to 100, not {swappiness}")))?;
    if max_swap.is_none() {
        warnings.add(&at.to_string(), "has no effect without maxSwap");
        return Ok((None, None));
    }
    Ok((max_swap, Some(swappiness)))
}

fn mounted_at(at: &At<'_>, path: Option<String>) -> Result<String, Rejection> {
    let at = at.key("containerPath");
    absolute(&at, path.ok_or_else(|| Rejection::missing(&at))?)
}

/// A path that names one place: absolute, and without a way back up, so that an operator's rule about it holds.
fn absolute(at: &At<'_>, path: String) -> Result<String, Rejection> {
    check_chars(at, &path, 1, limits::PATH_CHARS_MAX)?;
    if path.starts_with('/') && path.split('/').all(|part| part != "..") {
        return Ok(path);
    }
    Err(Rejection::invalid(at, &format!("{path:?} is not an absolute path"))
        .hint("it begins with / and holds no .."))
}

pub(super) fn mib(at: &At<'_>, mib: i64, min: u32) -> Result<u32, Rejection> {
    let max = limits::ULIMIT_MAX;
    let in_range = u32::try_from(mib).ok().filter(|mib| (min..=max).contains(mib));
    in_range
        .ok_or_else(|| Rejection::invalid(at, &format!("must be {min} to {max} MiB, not {mib}")))
}
