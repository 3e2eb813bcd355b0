use spillway_core::PlanPolicy;
use spillway_core::plan::Effort;
use spillway_planner::*;
use std::time::Instant;
fn main() {
    let mut policy = PlanPolicy::default();
    for f in std::env::args().skip(1) {
        if f == "--high" {
            policy.effort = Effort::High;
            continue;
        }
        let text = std::fs::read_to_string(&f).unwrap();
        let v: serde_json::Value = serde_json::from_str(&text).unwrap();
        let (terms, c, cost, bound, tp, tc);
        if v.get("time").is_some() {
            let p: bill::TimedProblem = serde_json::from_value(v).unwrap();
            let t = Instant::now();
            let b = bill::plan(&p).unwrap();
            tp = t.elapsed();
            let t = Instant::now();
            c = certificate::certify_bill(&p, &b).unwrap();
            tc = t.elapsed();
            terms = verify::Terms::of_timed(&p).unwrap();
            cost = b.cost as f64 / 3.6e9;
            bound = b.bound as f64 / 3.6e9;
        } else {
            let p: problem::Problem = serde_json::from_value(v).unwrap();
            let input = p.to_input().unwrap();
            let t = Instant::now();
            let (planned, prices) = plan_and_prices(&input, &policy);
            tp = t.elapsed();
            let t = Instant::now();
            c = certificate::certify(&p, &prices).unwrap();
            tc = t.elapsed();
            terms = verify::Terms::of(&p).unwrap();
            cost = planned.plan.price().get() as f64 / 1e6;
            bound = planned.report.bound.get() as f64 / 1e6;
        }
        let t = Instant::now();
        let v = verify::certificate(&terms, &c);
        println!(
            "{f}\n  plan {tp:?} certify {tc:?} verify {:?} cost {cost:.6} solver bound {bound:.6} certified {:.6} {} size {} hosts {:?}",
            t.elapsed(),
            v.as_ref().map(|v| v.usd(&terms)).unwrap_or(f64::NAN),
            c.proof.kind(),
            serde_json::to_string(&c).unwrap().len(),
            v
        );
    }
}
