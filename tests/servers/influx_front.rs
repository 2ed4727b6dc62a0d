//! InfluxDB 2 as Buttonwatch sees it, in the test's own process: it writes to a real InfluxDB 1 behind it, fails as it is
//! told, and keeps the books of an InfluxDB 2 (organizations, buckets, mappings, tasks) in memory. Bucket `db/rp` is the
//! retention policy `rp` of the database `db`.
//!
//! Used by way of `#[path = "servers/influx_front.rs"] mod influx_front;`. HTTP by hand, because a test must be able to
//! break an answer off half-way.
#![allow(dead_code, reason = "each test program uses a part of it")]

use std::collections::{BTreeMap, VecDeque};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use flate2::read::MultiGzDecoder;
use serde_json::json;

#[path = "influx_books.rs"]
pub mod books;
pub use books::Books;

/// A wait of a test that does not come true fails after this.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// How it fails. The default: not at all.
#[derive(Debug, Clone, Default)]
pub struct Faults {
    /// 400 for a body with a line that holds this, as InfluxDB answers bad lines: nothing of the body is written.
    pub bad_line: Option<String>,
    /// 413 for bodies that are longer, unpacked.
    pub largest: Option<usize>,
    /// Every write is answered with this status, and not written. 422 answers as InfluxDB does for old points.
    pub status: Option<u16>,
    /// As `status`, for writes to this bucket only.
    pub bucket_status: BTreeMap<String, u16>,
    /// Writes are never answered.
    pub hang: bool,
    /// Writes are read, then the connection breaks in the middle of the answer. Written all the same.
    pub break_off: bool,
    /// Only this token is known.
    pub token: Option<String>,
    /// The next writes, one by one: this status instead of what would follow. None: nothing instead.
    pub next: VecDeque<Option<u16>>,
}

/// What it was asked.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    pub writes: u64,
    pub lines_written: u64,
    /// Lines that came, written or not.
    pub lines: u64,
    pub statuses: BTreeMap<u16, u64>,
    pub writes_by_bucket: BTreeMap<String, u64>,
    /// Writes that came and got no answer, by `hang` or `break_off`.
    pub unanswered: u64,
    /// Lines written, only when [`Front::keep_lines`].
    pub kept: Vec<String>,
}

#[derive(Default)]
struct State {
    faults: Faults,
    seen: Seen,
    keep_lines: bool,
    books: Books,
    streams: Vec<TcpStream>,
    is_open: bool,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    /// The InfluxDB 1 behind it. None: what is written is only counted.
    upstream: Option<String>,
    agent: ureq::Agent,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no thread of the front panics")
    }
}

pub struct Front {
    port: u16,
    shared: Arc<Shared>,
    listener: Option<JoinHandle<()>>,
}

impl Front {
    /// `upstream`: the address of an InfluxDB 1, `http://127.0.0.1:…`.
    pub fn start(upstream: Option<String>) -> Front {
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(120)))
            .build()
            .into();
        let shared = Arc::new(Shared { state: Mutex::default(), changed: Condvar::new(), upstream, agent });
        let mut front = Front { port: 0, shared, listener: None };
        front.open();
        front
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub fn tell(&self, change: impl FnOnce(&mut Faults)) {
        change(&mut self.shared.state().faults);
        self.shared.changed.notify_all();
    }

    pub fn keep_lines(&self) {
        self.shared.state().keep_lines = true;
    }

    pub fn seen(&self) -> Seen {
        self.shared.state().seen.clone()
    }

    pub fn books<T>(&self, use_them: impl FnOnce(&mut Books) -> T) -> T {
        use_them(&mut self.shared.state().books)
    }

    /// Until `is_so` of what was seen. Panics when it does not come true.
    pub fn wait_until(&self, what: &str, is_so: impl Fn(&Seen) -> bool) {
        let give_up = Instant::now() + PATIENCE;
        let mut state = self.shared.state();
        while !is_so(&state.seen) {
            let left = give_up.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "waited in vain until {what}: {:?}", state.seen);
            state = self.shared.changed.wait_timeout(state, left).expect("no thread of the front panics").0;
        }
    }

    /// Nobody listens any more, and all connections are cut.
    pub fn close(&mut self) {
        {
            let mut state = self.shared.state();
            state.is_open = false;
            for stream in state.streams.drain(..) {
                let _ = stream.shutdown(Shutdown::Both);
            }
        }
        self.shared.changed.notify_all();
        if let Some(listener) = self.listener.take() {
            // It waits in accept.
            let _ = TcpStream::connect(("127.0.0.1", self.port));
            listener.join().expect("the front's listener ends");
        }
    }

    /// Listens again, on the same port.
    pub fn open(&mut self) {
        let listener = TcpListener::bind(("127.0.0.1", self.port)).expect("the front's port");
        self.port = listener.local_addr().expect("bound").port();
        self.shared.state().is_open = true;
        let shared = self.shared.clone();
        self.listener = Some(std::thread::spawn(move || accept(&listener, &shared)));
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        self.close();
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for stream in listener.incoming() {
        let Ok(stream) = stream else { return };
        {
            let mut state = shared.state();
            if !state.is_open {
                return;
            }
            state.streams.push(stream.try_clone().expect("a socket can be cloned"));
        }
        let shared = shared.clone();
        std::thread::spawn(move || serve(stream, &shared));
    }
}

pub struct Request {
    pub method: String,
    pub path: String,
    pub query: BTreeMap<String, String>,
    pub headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
}

impl Request {
    pub fn asked(&self, name: &str) -> &str {
        self.query.get(name).map_or("", String::as_str)
    }

    fn read(reader: &mut impl BufRead) -> Option<Request> {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let mut words = line.split_whitespace();
        let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
        let mut headers = BTreeMap::new();
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).ok()?;
            let Some((name, value)) = line.trim_end().split_once(':') else { break };
            headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
        }
        let length = headers.get("content-length").and_then(|l| l.parse().ok()).unwrap_or(0);
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        let query = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        Some(Request { method, path: path.to_owned(), query, headers, body })
    }
}

pub struct Answer {
    pub status: u16,
    pub body: String,
}

impl Answer {
    pub fn json(status: u16, body: &serde_json::Value) -> Answer {
        Answer { status, body: body.to_string() }
    }

    /// As InfluxDB words its errors.
    pub fn error(status: u16, code: &str, message: &str) -> Answer {
        Answer::json(status, &json!({ "code": code, "message": message }))
    }
}

fn serve(stream: TcpStream, shared: &Shared) {
    let Ok(clone) = stream.try_clone() else { return };
    let mut reader = BufReader::new(clone);
    let mut writer = stream;
    while let Some(request) = Request::read(&mut reader) {
        let Some(answer) = answer(&request, shared) else {
            let faults = shared.state().faults.clone();
            if faults.break_off {
                let _ = writer.write_all(b"HTTP/1.1 204 No Con");
                let _ = writer.shutdown(Shutdown::Both);
                return;
            }
            // Hangs until it is told otherwise, or the client goes away.
            let mut state = shared.state();
            while state.faults.hang && state.is_open {
                state = shared.changed.wait(state).expect("no thread of the front panics");
            }
            return;
        };
        let head = format!(
            "HTTP/1.1 {} x\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            answer.status,
            answer.body.len()
        );
        // One packet, or the client's delayed acknowledgement costs 40 ms.
        let _ = writer.set_nodelay(true);
        let whole = if answer.status == 204 { "HTTP/1.1 204 x\r\n\r\n".to_owned() } else { head + &answer.body };
        if writer.write_all(whole.as_bytes()).is_err() {
            return;
        }
    }
}

/// None: this one gets no answer.
fn answer(request: &Request, shared: &Shared) -> Option<Answer> {
    let token = shared.state().faults.token.clone();
    if let Some(token) = token
        && request.path != "/health"
        && request.headers.get("authorization") != Some(&format!("Token {token}"))
    {
        let answer = Answer::error(401, "unauthorized", "unauthorized access");
        if request.path == "/api/v2/write" {
            count(shared, 0, Some(401));
        }
        return Some(answer);
    }
    match (request.method.as_str(), request.path.as_str()) {
        ("GET", "/health") => {
            let body = json!({"name": "influxdb", "message": "ready for queries and writes", "status": "pass",
                              "checks": [], "version": "v2.7.0-front", "commit": ""});
            Some(Answer::json(200, &body))
        }
        ("POST", "/api/v2/write") => write(request, shared),
        ("GET" | "POST", "/query") => Some(query(request, shared)),
        (_, path) if path.starts_with("/api/v2/") => Some(shared.state().books.answer(request)),
        _ => Some(Answer::error(404, "not found", "path not found")),
    }
}

fn write(request: &Request, shared: &Shared) -> Option<Answer> {
    let bucket = request.asked("bucket").to_owned();
    let mut text = String::new();
    let unpacked = match request.headers.get("content-encoding").map(String::as_str) {
        Some("gzip") => MultiGzDecoder::new(request.body.as_slice()).read_to_string(&mut text).is_ok(),
        _ => String::from_utf8(request.body.clone()).map(|t| text = t).is_ok(),
    };
    let lines = text.lines().filter(|l| !l.is_empty()).count() as u64;
    let faults = {
        let mut state = shared.state();
        state.seen.writes += 1;
        state.seen.lines += lines;
        *state.seen.writes_by_bucket.entry(bucket.clone()).or_default() += 1;
        let mut faults = state.faults.clone();
        if let Some(Some(status)) = state.faults.next.pop_front() {
            faults.status = Some(status);
        }
        faults
    };
    if faults.hang {
        count(shared, 0, None);
        return None;
    }
    let known = shared.state().books.has_bucket(&bucket);
    let status = faults.bucket_status.get(&bucket).copied().or(faults.status);
    let has_bad_line = faults.bad_line.as_ref().is_some_and(|marker| text.lines().any(|l| l.contains(marker)));
    let answer = if !unpacked {
        Answer::error(400, "invalid", "failed to unpack the body")
    } else if let Some(status) = status {
        let message = match status {
            422 => format!(
                "failure writing points to database: partial write: points beyond retention policy dropped={lines}"
            ),
            404 => format!("bucket {bucket:?} not found"),
            _ => "as the test told it".to_owned(),
        };
        Answer::error(status, "told", &message)
    } else if !known {
        Answer::error(404, "not found", &format!("bucket {bucket:?} not found"))
    } else if faults.largest.is_some_and(|most| text.len() > most) {
        Answer::error(413, "request too large", "unable to read data: points batch is too large")
    } else if has_bad_line {
        Answer::error(400, "invalid", "unable to parse: invalid field format")
    } else {
        forward(shared, &bucket, &text)
    };
    let written = if answer.status == 204 { lines } else { 0 };
    if written > 0 && shared.state().keep_lines {
        shared.state().seen.kept.extend(text.lines().map(str::to_owned));
    }
    if faults.break_off {
        count(shared, written, None);
        return None;
    }
    count(shared, written, Some(answer.status));
    Some(answer)
}

fn count(shared: &Shared, written: u64, status: Option<u16>) {
    let mut state = shared.state();
    state.seen.lines_written += written;
    match status {
        Some(status) => *state.seen.statuses.entry(status).or_default() += 1,
        None => state.seen.unanswered += 1,
    }
    drop(state);
    shared.changed.notify_all();
}

fn forward(shared: &Shared, bucket: &str, text: &str) -> Answer {
    let Some(upstream) = &shared.upstream else { return Answer { status: 204, body: String::new() } };
    let (database, policy) = bucket.split_once('/').unwrap_or((bucket, ""));
    let request = shared.agent.post(&format!("{upstream}/write")).query("db", database).query("rp", policy);
    match request.query("precision", "ms").send(text) {
        Ok(mut answer) => {
            let status = answer.status().as_u16();
            Answer { status, body: answer.body_mut().read_to_string().unwrap_or_default() }
        }
        Err(e) => Answer::error(503, "unavailable", &e.to_string()),
    }
}

fn query(request: &Request, shared: &Shared) -> Answer {
    let mut asked = request.query.clone();
    asked.extend(form_urlencoded::parse(&request.body).into_owned());
    let Some(upstream) = &shared.upstream else { return Answer::json(200, &json!({"results": []})) };
    match shared.agent.post(&format!("{upstream}/query")).send_form(asked) {
        Ok(mut answer) => {
            let status = answer.status().as_u16();
            let body = answer.body_mut().with_config().limit(1 << 30).read_to_string().unwrap_or_default();
            Answer { status, body }
        }
        Err(e) => Answer::error(503, "unavailable", &e.to_string()),
    }
}
