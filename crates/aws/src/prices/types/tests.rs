//! Which types are kept, and as what.

use aws_sdk_ec2::types::builders::InstanceTypeInfoBuilder;
use aws_sdk_ec2::types::{
    ArchitectureType, FpgaInfo, GpuDeviceInfo, GpuInfo, InstanceType as SdkInstanceType,
    MemoryInfo, ProcessorInfo, VCpuInfo,
};

use super::*;

fn info(name: &str, arch: ArchitectureType) -> InstanceTypeInfoBuilder {
    InstanceTypeInfo::builder()
        .instance_type(SdkInstanceType::from(name))
        .bare_metal(false)
        .supported_root_device_types(RootDeviceType::Ebs)
        .supported_virtualization_types(VirtualizationType::Hvm)
        .supported_usage_classes(UsageClassType::OnDemand)
        .supported_usage_classes(UsageClassType::Spot)
        .processor_info(ProcessorInfo::builder().supported_architectures(arch).build())
        .v_cpu_info(VCpuInfo::builder().default_v_cpus(4).build())
        .memory_info(MemoryInfo::builder().size_in_mib(8192).build())
}

fn x86(name: &str) -> InstanceTypeInfoBuilder {
    info(name, ArchitectureType::X8664)
}

fn gpu(manufacturer: &str, size: Option<f64>) -> GpuInfo {
    let device = GpuDeviceInfo::builder().manufacturer(manufacturer).name("A10G").count(2);
    GpuInfo::builder().gpus(device.set_gpu_partition_size(size).build()).build()
}

#[test]
fn a_plain_type_is_kept_with_its_shape_and_markets() {
    let kept = usable(&info("c7g.xlarge", ArchitectureType::Arm64).build()).unwrap();

    assert_eq!(kept.shape.arch, Arch::Arm64);
    assert_eq!(kept.shape.nominal, Resources::new(CpuUnits::from_vcpus(4), MiB::from_gib(8), 0));
    assert_eq!(kept.markets, [Market::OnDemand, Market::Spot]);
}

#[test]
fn whole_nvidia_gpus_are_counted() {
    let kept = usable(&x86("g5.12xlarge").gpu_info(gpu("NVIDIA", None)).build()).unwrap();

    assert_eq!((kept.shape.nominal.gpus, kept.shape.gpu), (2, Some(GpuKind::A10G)));
}

#[test]
fn what_spillway_cannot_use_is_left_out() {
    let left_out = [
        ("metal", x86("c5.metal").bare_metal(true)),
        ("paravirtual", x86("m1.small").set_supported_virtualization_types(None)),
        ("no ebs", x86("c1.medium").set_supported_root_device_types(None)),
        ("fpga", x86("f1.2xlarge").fpga_info(FpgaInfo::builder().build())),
        ("amd", x86("g4ad.xlarge").gpu_info(gpu("AMD", None))),
        ("part", x86("g6f.large").gpu_info(gpu("NVIDIA", Some(0.125)))),
        ("arm gpu", info("g5g.xlarge", ArchitectureType::Arm64).gpu_info(gpu("NVIDIA", None))),
        ("mac", info("mac2.metal", ArchitectureType::Arm64Mac)),
    ];

    for (why, info) in left_out {
        assert_eq!(usable(&info.build()), None, "{why}");
    }
}

#[test]
fn more_patterns_than_a_filter_takes_are_not_sent() {
    let query = |n: usize| TypeQuery { patterns: vec!["c5*".into(); n], zones: Vec::new() };

    assert!(query(0).type_filter().is_none());
    assert!(query(200).type_filter().is_some());
    assert!(query(201).type_filter().is_none() && query(201).asks_for("c5.large"));
}
