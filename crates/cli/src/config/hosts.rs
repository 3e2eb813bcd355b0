//! `hosts.*`: what a host has beside its instance, and what that costs.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use spillway_core::{Extras, MiB, cost};

use super::values::{Dollars, Memory, Price};

/// What hosts have beside their instances. It is planned with and billed like the instances themselves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", default)]
pub struct HostsConfig {
    /// The size of a host's root volume (gp3), which holds images, what containers write beside their volumes, and logs:
    /// `"100GiB"`, 1 GiB to 16 TiB. None leaves it at the machine image's own; 30 GiB are counted then, as ECS-optimized images have.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub root_volume: Option<Memory>,
    /// Dollars for a GiB of it and a month. None takes that of AWS's price list, or $0.08 where that does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub volume_price: Option<Dollars>,
    /// Dollars per hour of a public IPv4 address. It is counted in zones whose subnet gives one to each host.
    pub public_address_price: Price,
}

impl Default for HostsConfig {
    fn default() -> Self {
        Self {
            root_volume: None,
            volume_price: None,
            public_address_price: Price(cost::PUBLIC_ADDRESS_PRICE),
        }
    }
}

impl HostsConfig {
    /// The size that root volumes are made with, rounded up to the next GiB.
    pub(crate) fn root_volume_gib(&self) -> Option<u32> {
        self.root_volume.map(|size| size.0.get().div_ceil(MiB::from_gib(1).get()))
    }

    /// What hosts cost beside their instances where nobody can be asked: their volume, and no address.
    pub(crate) fn extras(&self) -> Extras {
        let gib = self.root_volume_gib().unwrap_or(cost::ROOT_VOLUME_GIB_DEFAULT);
        let price = self.volume_price.map_or(cost::VOLUME_PRICE_DEFAULT, |price| price.0);
        Extras::everywhere(cost::volume_price(gib, price))
    }
}
