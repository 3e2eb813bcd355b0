//! Writes what a container gets from its host and from file systems.

use super::super::shape;
use crate::container::{Device, DevicePermission, Efs, Mount, Secret, Tmpfs, Volume, VolumeSource};

pub(super) fn tmpfs(tmpfs: &Tmpfs) -> shape::Tmpfs {
    let Tmpfs { path, size_mib, options } = tmpfs;
    shape::Tmpfs {
        container_path: Some(path.clone()),
        size: Some(i64::from(*size_mib)),
        mount_options: Some(options.clone()),
    }
}

pub(super) fn device(device: &Device) -> shape::Device {
    let Device { host_path, container_path, permissions } = device;
    let permission = |permission: &DevicePermission| match permission {
        DevicePermission::Read => shape::DevicePermission::Read,
        DevicePermission::Write => shape::DevicePermission::Write,
        DevicePermission::Mknod => shape::DevicePermission::Mknod,
    };
    shape::Device {
        host_path: Some(host_path.clone()),
        container_path: container_path.clone(),
        permissions: Some(permissions.iter().map(permission).collect()),
    }
}

pub(super) fn volume(volume: &Volume) -> shape::Volume {
    let Volume { name, source } = volume;
    let (host, efs_volume) = match source {
        VolumeSource::Scratch => (None, None),
        VolumeSource::Host { path } => {
            (Some(shape::HostVolume { source_path: Some(path.clone()) }), None)
        }
        VolumeSource::Efs(of_efs) => (None, Some(efs(of_efs))),
    };
    shape::Volume { name: Some(name.clone()), host, efs_volume_configuration: efs_volume }
}

fn efs(efs: &Efs) -> shape::EfsVolume {
    let Efs { file_system, root, transit_encryption, transit_port, access_point, iam } = efs;
    let on = |is_on: bool| is_on.then_some(shape::Switch::Enabled);
    shape::EfsVolume {
        file_system_id: Some(file_system.clone()),
        root_directory: root.clone(),
        transit_encryption: on(*transit_encryption),
        transit_encryption_port: transit_port.map(i64::from),
        authorization_config: Some(shape::EfsAuthorization {
            access_point_id: access_point.clone(),
            iam: on(*iam),
        }),
    }
}

pub(super) fn mount(mount: &Mount) -> shape::MountPoint {
    let Mount { volume, path, read_only } = mount;
    shape::MountPoint {
        container_path: Some(path.clone()),
        source_volume: Some(volume.clone()),
        read_only: Some(*read_only),
    }
}

pub(super) fn secret(secret: &Secret) -> shape::Secret {
    let Secret { name, value_from } = secret;
    shape::Secret { name: Some(name.clone()), value_from: Some(value_from.clone()) }
}
