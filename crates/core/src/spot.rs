//! What is heard of Spot interruptions before any have been seen: how often hosts of a family are taken back.

use crate::catalog::Hazard;

/// Families by how many of their instances are interrupted in a month, as EC2's Spot Instance Advisor has it, in the mean over
/// sizes and regions (June 2025). One region and one week differ from it by a lot; what is seen soon counts more.
const FAMILIES: [(Hazard, &str); 4] = [
    // Under 5 %: half of that.
    (of_month(35), " g4ad i7i m3 r4 t2 x2gd x2idn x2iezn "),
    // 5 to 10 %.
    (
        of_month(107),
        " c7gd c8gd d3 d3en g5g i4g i7ie im4gn is4gen m5ad m5zn m7g m8gd r5a r5ad r5b r5dn t3 x2iedn x8g ",
    ),
    // 10 to 15 %.
    (
        of_month(183),
        " c3 c5a c5ad c5n c6g c6gn c7g c8g i3en i8g inf2 m4 m5dn m5n m6g m6gd m7gd m7i-flex m8g p4d p5 p5en r5n r6idn \
         r7g r7gd r8g r8gd t3a vt1 ",
    ),
    // Over 20 %: taken as 30.
    (
        of_month(489),
        " a1 c1 c4 c5 c6a c6i c6id c7a d2 f1 h1 i2 i3 inf1 m1 m2 m5 m6a m6i m6id p2 p3 r3 r5 r6i t1 x1 x1e z1d ",
    ),
];

/// All others: 15 to 20 %, the mean of all.
const OTHERS: Hazard = of_month(264);

/// A part `p` of all interrupted in 730 hours is a rate of `-ln(1 - p) / 730` an hour.
const fn of_month(per_million_hours: u32) -> Hazard {
    Hazard::per_million_hours(per_million_hours)
}

/// How often a Spot host of this type is interrupted, by what is heard.
pub fn heard_of(instance_type: &str) -> Hazard {
    let family = instance_type.split('.').next().unwrap_or(instance_type);
    let word = format!(" {family} ");
    let known = FAMILIES.iter().find(|(_, families)| families.contains(&word));
    known.map_or(OTHERS, |(hazard, _)| *hazard)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_are_told_apart_and_the_unknown_are_average() {
        assert_eq!(heard_of("m7g.large"), of_month(107));
        assert_eq!(heard_of("c5.large"), of_month(489));
        assert_eq!(heard_of("c5a.large"), of_month(183));
        assert_eq!(heard_of("m7i-flex.large"), of_month(183));
        assert_eq!(heard_of("z99.large"), OTHERS);
        assert_eq!(heard_of(""), OTHERS);
    }

    #[test]
    fn no_family_is_listed_twice() {
        let words = FAMILIES.iter().flat_map(|(_, families)| families.split_whitespace());
        let mut seen = std::collections::BTreeSet::new();
        for family in words {
            assert!(seen.insert(family), "{family}");
        }
    }
}
