//! Good files, and what is said of bad ones.

use super::*;

#[test]
fn csv_and_json_say_the_same() {
    let from_csv =
        csv("# ours\nregion,instance_type,usd_per_hour,market\n\nus-east-1,c7g.large,0.0725,\n")
            .unwrap();
    let from_json = json(
        r#"{"schema": 1, "prices": [{"instanceType": "c7g.large", "usdPerHour": "$0.0725",
        "region": "us-east-1"}]}"#,
    )
    .unwrap();

    assert_eq!(from_csv, from_json);
    assert_eq!(from_csv[0].price, MicroUsdPerHour::new(72_500));
    assert_eq!(from_csv[0].market, Market::OnDemand);
}

#[test]
fn a_wrong_line_is_named_with_what_is_wrong() {
    let header = "instance_type,usd_per_hour,market";
    let problem = |line: &str| csv(&format!("{header}\n{line}")).unwrap_err();

    assert_eq!(problem("c5.large,0.1").problem, "2 cells, the header has 3");
    assert_eq!(problem("c5.large,cheap,").line, 2);
    assert!(problem("c5.large,cheap,").problem.contains("\"cheap\" is not a number"));
    assert!(problem("c5.large,0,").problem.contains("free"));
    assert!(problem("c5,0.1,").problem.contains("not an instance type"));
    assert!(problem("c5.large,0.1,barter").problem.contains("on-demand, spot"));
}

#[test]
fn a_wrong_header_says_which_columns_there_are() {
    let of_header = |header: &str| csv(header).unwrap_err().problem;

    assert!(of_header("type,usd_per_hour").contains("instance_type, usd_per_hour"));
    assert_eq!(of_header("instance_type"), "the column usd_per_hour is missing");
    assert_eq!(of_header(""), "the file is empty");
}

#[test]
fn json_is_checked_as_closely() {
    let problem = |text: &str| json(text).unwrap_err().problem;

    assert!(problem(r#"{"schema": 2, "prices": []}"#).contains("schema 2"));
    assert!(problem(r#"{"schema": 1, "price": []}"#).contains("unknown field"));
    let row = r#"{"schema": 1, "prices": [{"instanceType": "c5.large", "usdPerHour": "-1"}]}"#;
    assert!(problem(row).starts_with("prices[0]: "));
}

#[test]
fn a_file_without_the_region_is_of_no_use() {
    let folder = std::env::temp_dir().join(format!("spillway-prices-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("prices.csv");
    std::fs::write(&path, "instance_type,usd_per_hour,region\nc5.large,0.1,eu-west-1\n").unwrap();

    let here = read(&path, "eu-west-1").map(|prices| prices.len());
    let elsewhere = read(&path, "us-east-1");
    let missing = read(&folder.join("none.csv"), "us-east-1");

    std::fs::remove_dir_all(&folder).unwrap();
    assert!(matches!(here, Ok(1)));
    assert!(matches!(elsewhere, Err(PricesFileError::NoneForRegion { .. })));
    assert!(matches!(missing, Err(PricesFileError::Unreadable { .. })));
}
