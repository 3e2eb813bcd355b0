//! What a container gets from outside its image, in ECS's types: volumes, mounts, devices, secrets. Pure.

use aws_sdk_ecs::types as ecs;
use spillway_core::container::{
    Device, DevicePermission, Efs, LogDriver, Mount, Secret, Tmpfs, Volume, VolumeSource,
};

/// A list as ECS takes it; none for none.
fn some<T>(list: Vec<T>) -> Option<Vec<T>> {
    (!list.is_empty()).then_some(list)
}

pub(super) fn number(value: u32) -> i32 {
    i32::try_from(value).unwrap_or(i32::MAX)
}

pub(super) fn volumes(volumes: &[Volume]) -> Option<Vec<ecs::Volume>> {
    some(volumes.iter().map(volume).collect())
}

fn volume(volume: &Volume) -> ecs::Volume {
    let named = ecs::Volume::builder().name(&volume.name);
    let sourced = match &volume.source {
        // A host volume without a path is a folder that Docker makes for the task.
        VolumeSource::Scratch => named.host(ecs::HostVolumeProperties::builder().build()),
        VolumeSource::Host { path } => {
            named.host(ecs::HostVolumeProperties::builder().source_path(path).build())
        }
        VolumeSource::Efs(source) => named.set_efs_volume_configuration(efs(source)),
    };
    sourced.build()
}

fn efs(efs: &Efs) -> Option<ecs::EfsVolumeConfiguration> {
    let encryption = efs.transit_encryption.then_some(ecs::EfsTransitEncryption::Enabled);
    let iam = efs.iam.then_some(ecs::EfsAuthorizationConfigIam::Enabled);
    let is_authorized = efs.iam || efs.access_point.is_some();
    let authorization = is_authorized.then(|| {
        ecs::EfsAuthorizationConfig::builder()
            .set_access_point_id(efs.access_point.clone())
            .set_iam(iam)
            .build()
    });
    ecs::EfsVolumeConfiguration::builder()
        .file_system_id(&efs.file_system)
        .set_root_directory(efs.root.clone())
        .set_transit_encryption(encryption)
        .set_transit_encryption_port(efs.transit_port.map(i32::from))
        .set_authorization_config(authorization)
        .build()
        .ok()
}

pub(super) fn mounts(mounts: &[Mount]) -> Option<Vec<ecs::MountPoint>> {
    let mount = |mount: &Mount| {
        ecs::MountPoint::builder()
            .source_volume(&mount.volume)
            .container_path(&mount.path)
            .read_only(mount.read_only)
            .build()
    };
    some(mounts.iter().map(mount).collect())
}

pub(super) fn secrets(secrets: &[Secret]) -> Option<Vec<ecs::Secret>> {
    let secret = |secret: &Secret| {
        ecs::Secret::builder().name(&secret.name).value_from(&secret.value_from).build().ok()
    };
    some(secrets.iter().filter_map(secret).collect())
}

pub(super) fn tmpfs(list: &[Tmpfs]) -> Option<Vec<ecs::Tmpfs>> {
    let tmpfs = |tmpfs: &Tmpfs| {
        ecs::Tmpfs::builder()
            .container_path(&tmpfs.path)
            .size(number(tmpfs.size_mib))
            .set_mount_options(some(tmpfs.options.clone()))
            .build()
            .ok()
    };
    some(list.iter().filter_map(tmpfs).collect())
}

pub(super) fn devices(devices: &[Device]) -> Option<Vec<ecs::Device>> {
    let permission = |permission: &DevicePermission| match permission {
        DevicePermission::Read => ecs::DeviceCgroupPermission::Read,
        DevicePermission::Write => ecs::DeviceCgroupPermission::Write,
        DevicePermission::Mknod => ecs::DeviceCgroupPermission::Mknod,
    };
    let device = |device: &Device| {
        ecs::Device::builder()
            .host_path(&device.host_path)
            .set_container_path(device.container_path.clone())
            .set_permissions(some(device.permissions.iter().map(permission).collect()))
            .build()
            .ok()
    };
    some(devices.iter().filter_map(device).collect())
}

pub(super) const fn log_driver(driver: LogDriver) -> ecs::LogDriver {
    match driver {
        LogDriver::Awsfirelens => ecs::LogDriver::Awsfirelens,
        LogDriver::Awslogs => ecs::LogDriver::Awslogs,
        LogDriver::Fluentd => ecs::LogDriver::Fluentd,
        LogDriver::Gelf => ecs::LogDriver::Gelf,
        LogDriver::JsonFile => ecs::LogDriver::JsonFile,
        LogDriver::Journald => ecs::LogDriver::Journald,
        LogDriver::Splunk => ecs::LogDriver::Splunk,
        LogDriver::Syslog => ecs::LogDriver::Syslog,
    }
}
