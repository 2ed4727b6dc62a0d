//! Dashboards on Prometheus. Their queries need a service that Prometheus has looked at for a while: `tests/monitoring/scraped.rs` starts
//! both and runs every one. This module holds that no such dashboard is forgotten there.

use std::fs;
use std::path::Path;

use crate::dashboards::boards::{self, Board, INFLUX, PROMETHEUS, list};

const RUNS_THEM: &str = "tests/monitoring/scraped.rs";

/// Whether all of its queries are for Prometheus.
pub fn is_all_of(board: &Board) -> bool {
    let mut sources = board.panels().into_iter().flat_map(|p| list(&p["targets"])).map(|t| &t["datasource"]["uid"]);
    !board.json.to_string().contains(INFLUX) && sources.all(|uid| uid == PROMETHEUS)
}

#[test]
fn every_dashboard_on_prometheus_is_run_on_the_real_one() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(RUNS_THEM);
    for board in boards::all().iter().filter(|b| b.json.to_string().contains(PROMETHEUS)) {
        assert!(is_all_of(board), "dashboards/{} asks both: nothing runs that yet", board.file);
        let runs = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{RUNS_THEM} runs {}: {e}", board.file));
        let name = format!("dashboards/{}", board.file);
        assert!(runs.contains(&name), "{RUNS_THEM} does not run the queries of {name}");
    }
}
