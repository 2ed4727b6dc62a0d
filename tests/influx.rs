//! History's way into InfluxDB, against a real one behind a front that fails as it is told.

#[path = "servers/influxdb.rs"]
mod influxdb;

#[test]
fn the_server_of_these_tests_keeps_what_it_was_told_over_a_kill() {
    let Some(mut server) = influxdb::InfluxDb::start_with("buttonwatch") else { return };
    server.write("buttonwatch", "raw", "power,unit=PSH-1 mains=1i 1795251600000\n").expect("a good line");
    server.kill();
    server.restart();
    assert_eq!(server.points("buttonwatch", "\"raw\".\"power\"", "mains"), 1);
    let rows = server.rows("buttonwatch", "SELECT mains FROM \"raw\".\"power\"");
    assert_eq!(rows[0][0].as_i64(), Some(1795251600000));
}
