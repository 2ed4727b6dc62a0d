//! What an InfluxDB 2 knows about itself, in memory: organizations, buckets, mappings for InfluxQL, tasks. It answers the
//! part of `/api/v2` that `buttonwatch influx setup` and `doctor` use, in InfluxDB's own words where they are known.

use serde_json::{Value, json};

use super::{Answer, Request};

pub struct Books {
    pub org: String,
    /// None: every bucket is there, and none is listed as missing.
    pub buckets: Option<Vec<Value>>,
    pub dbrps: Vec<Value>,
    pub tasks: Vec<Value>,
    /// What changed anything, in order: `POST /api/v2/buckets`.
    pub changes: Vec<String>,
    /// Such as a token that may only read: changes are answered 403.
    pub read_only: bool,
    next: u64,
}

impl Default for Books {
    fn default() -> Books {
        Books {
            org: "org".to_owned(),
            buckets: None,
            dbrps: Vec::new(),
            tasks: Vec::new(),
            changes: Vec::new(),
            read_only: false,
            next: 0,
        }
    }
}

pub const ORG_ID: &str = "0000000000000001";

impl Books {
    /// An InfluxDB 2 just after its own set-up: no buckets.
    pub fn make_empty(&mut self) {
        self.buckets = Some(Vec::new());
    }

    pub fn add_bucket(&mut self, name: &str, seconds: u64) -> String {
        let id = self.new_id();
        let rules = if seconds == 0 { json!([]) } else { json!([{"type": "expire", "everySeconds": seconds}]) };
        let bucket = json!({"id": id, "orgID": ORG_ID, "type": "user", "name": name, "retentionRules": rules,
                            "labels": [], "createdAt": "2026-11-21T09:00:00Z", "updatedAt": "2026-11-21T09:00:00Z"});
        self.buckets.get_or_insert_default().push(bucket);
        id
    }

    pub fn has_bucket(&self, name: &str) -> bool {
        self.buckets.as_ref().is_none_or(|all| all.iter().any(|b| b["name"] == name))
    }

    fn new_id(&mut self) -> String {
        self.next += 1;
        format!("{:016x}", 0x0b00_0000 + self.next)
    }

    pub(super) fn answer(&mut self, request: &Request) -> Answer {
        let path = request.path.trim_start_matches("/api/v2/");
        let (kind, id) = path.split_once('/').map_or((path, None), |(kind, id)| (kind, Some(id)));
        if request.method != "GET" {
            self.changes.push(format!("{} /api/v2/{kind}", request.method));
            if self.read_only {
                return Answer::error(403, "forbidden", "insufficient permissions for write");
            }
        }
        let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        match (request.method.as_str(), kind, id) {
            ("GET", "orgs", None) => self.orgs(request),
            ("GET", "buckets", None) => self.list_buckets(request),
            ("POST", "buckets", None) => {
                let name = body["name"].as_str().unwrap_or_default().to_owned();
                if name.is_empty() || body["orgID"] != ORG_ID {
                    return Answer::error(400, "invalid", "a bucket needs a name and an organization");
                }
                if self.buckets.is_some() && self.has_bucket(&name) {
                    return Answer::error(422, "conflict", &format!("bucket with name {name} already exists"));
                }
                self.add_bucket(&name, body["retentionRules"][0]["everySeconds"].as_u64().unwrap_or(0));
                let made = self.buckets.as_ref().and_then(|b| b.last()).cloned().unwrap_or_default();
                Answer::json(201, &made)
            }
            ("PATCH", "buckets", Some(id)) => change(self.buckets.get_or_insert_default(), id, &body),
            ("GET", "dbrps", None) => {
                let found: Vec<&Value> = self
                    .dbrps
                    .iter()
                    .filter(|d| request.asked("db").is_empty() || d["database"] == request.asked("db"))
                    .collect();
                Answer::json(200, &json!({ "content": found }))
            }
            ("POST", "dbrps", None) => self.add(body, |books| &mut books.dbrps),
            ("PATCH", "dbrps", Some(id)) => change(&mut self.dbrps, id, &body),
            ("DELETE", "dbrps", Some(id)) => {
                self.dbrps.retain(|d| d["id"] != id);
                Answer { status: 204, body: String::new() }
            }
            ("GET", "tasks", None) => {
                let found: Vec<&Value> = self
                    .tasks
                    .iter()
                    .filter(|t| request.asked("name").is_empty() || t["name"] == request.asked("name"))
                    .collect();
                Answer::json(200, &json!({ "tasks": found, "links": {} }))
            }
            ("POST", "tasks", None) => {
                let flux = body["flux"].as_str().unwrap_or_default();
                // As InfluxDB does: the name comes from the script.
                let name = flux.split_once("name: \"").and_then(|(_, rest)| rest.split_once('"')).map(|(name, _)| name);
                let Some(name) = name else { return Answer::error(400, "invalid", "missing required option: name") };
                let mut task = body.clone();
                task["name"] = json!(name);
                self.add(task, |books| &mut books.tasks)
            }
            ("PATCH", "tasks", Some(id)) => change(&mut self.tasks, id, &body),
            _ => Answer::error(404, "not found", "path not found"),
        }
    }

    fn orgs(&self, request: &Request) -> Answer {
        let asked = request.asked("org");
        if !asked.is_empty() && asked != self.org {
            return Answer::error(404, "not found", &format!("organization name {asked:?} not found"));
        }
        Answer::json(200, &json!({"links": {"self": "/api/v2/orgs"}, "orgs": [{"id": ORG_ID, "name": self.org}]}))
    }

    fn list_buckets(&self, request: &Request) -> Answer {
        let org = request.asked("org");
        if !org.is_empty() && org != self.org {
            return Answer::error(404, "not found", &format!("organization name {org:?} not found"));
        }
        let name = request.asked("name");
        match &self.buckets {
            None => Answer::json(200, &json!({"buckets": [{"id": "1", "name": name, "retentionRules": []}]})),
            Some(all) => {
                let found: Vec<&Value> = all.iter().filter(|b| name.is_empty() || b["name"] == name).collect();
                if found.is_empty() && !name.is_empty() {
                    return Answer::error(404, "not found", &format!("bucket {name:?} not found"));
                }
                Answer::json(200, &json!({"links": {"self": "/api/v2/buckets"}, "buckets": found}))
            }
        }
    }

    fn add(&mut self, mut one: Value, to: impl Fn(&mut Books) -> &mut Vec<Value>) -> Answer {
        one["id"] = json!(self.new_id());
        to(self).push(one.clone());
        Answer::json(201, &one)
    }
}

fn change(all: &mut [Value], id: &str, by: &Value) -> Answer {
    let Some(one) = all.iter_mut().find(|b| b["id"] == id) else {
        return Answer::error(404, "not found", "no such id");
    };
    for (key, value) in by.as_object().into_iter().flatten() {
        one[key] = value.clone();
    }
    Answer::json(200, one)
}
