//! What Grafana makes of an answer: frames of fields, and the transformations that the dashboards use. A transformation that
//! names a field which is not there fails: in Grafana it would show nothing, in silence. Never talks to a server.

use std::cmp::Ordering;

use serde_json::{Value, json};

use crate::dashboards::boards::{list, text};

#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    pub name: String,
    pub is_time: bool,
    pub values: Vec<Value>,
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct Frame {
    pub fields: Vec<Field>,
}

impl Field {
    fn new(name: &str, values: Vec<Value>) -> Field {
        Field { name: name.to_owned(), is_time: false, values }
    }

    pub fn is_number(&self) -> bool {
        !self.is_time && self.values.iter().any(Value::is_number)
    }

    pub fn has_values(&self) -> bool {
        self.values.iter().any(|v| !v.is_null())
    }
}

impl Frame {
    pub fn rows(&self) -> usize {
        self.fields.first().map_or(0, |f| f.values.len())
    }

    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|f| f.name == name)
    }

    pub fn names(&self) -> Vec<&str> {
        self.fields.iter().map(|f| f.name.as_str()).collect()
    }

    fn wanted(&self, name: &str) -> Result<&Field, String> {
        self.field(name).ok_or_else(|| format!("no field {name:?} among {:?}", self.names()))
    }

    fn keep_rows(&mut self, rows: &[usize]) {
        for field in &mut self.fields {
            field.values = rows.iter().map(|row| field.values[*row].clone()).collect();
        }
    }
}

/// `resultFormat` `table`: one frame of all series. Tags come after the time, in no order that one may rely on.
pub fn of_table(series: &[Value]) -> Vec<Frame> {
    let Some(first) = series.first() else { return Vec::new() };
    let rows = |s: &Value| list(&s["values"]).len();
    let mut fields = Vec::new();
    for (at, column) in list(&first["columns"]).iter().enumerate() {
        let values = series.iter().flat_map(|s| list(&s["values"])).map(|row| row[at].clone()).collect();
        let is_time = at == 0 && column == "time";
        fields.push(Field { name: if is_time { "Time" } else { text(column) }.to_owned(), is_time, values });
    }
    for tag in first["tags"].as_object().into_iter().flat_map(|tags| tags.keys()) {
        let values = series.iter().flat_map(|s| vec![s["tags"][tag].clone(); rows(s)]).collect();
        fields.insert(1, Field::new(tag, values));
    }
    vec![Frame { fields }]
}

/// `resultFormat` `time_series`: a frame for each series and column, named by the alias.
pub fn of_time_series(series: &[Value], alias: &str) -> Vec<Frame> {
    let mut frames = Vec::new();
    for s in series {
        for (at, column) in list(&s["columns"]).iter().enumerate().skip(1) {
            let cell = |at: usize| list(&s["values"]).iter().map(|row| row[at].clone()).collect();
            let mut name = alias.replace("$col", text(column)).replace("$m", text(&s["name"]));
            for (tag, value) in s["tags"].as_object().into_iter().flatten() {
                name = name.replace(&format!("$tag_{tag}"), text(value));
            }
            let time = Field { name: "Time".to_owned(), is_time: true, values: cell(0) };
            frames.push(Frame { fields: vec![time, Field::new(&name, cell(at))] });
        }
    }
    frames
}

pub fn transform(mut frames: Vec<Frame>, steps: &[Value]) -> Result<Vec<Frame>, String> {
    for step in steps {
        let id = text(&step["id"]);
        frames = transform_once(frames, id, &step["options"]).map_err(|e| format!("transformation {id}: {e}"))?;
    }
    Ok(frames)
}

fn transform_once(mut frames: Vec<Frame>, id: &str, options: &Value) -> Result<Vec<Frame>, String> {
    match id {
        "joinByField" => return join(&frames, options).map(|frame| vec![frame]),
        "merge" => return merge(&frames).map(|frame| vec![frame]),
        _ => {}
    }
    for frame in &mut frames {
        match id {
            "organize" => organize(frame, options)?,
            "filterFieldsByName" => {
                for name in list(&options["exclude"]["names"]) {
                    frame.wanted(text(name))?;
                    frame.fields.retain(|f| f.name != text(name));
                }
            }
            "filterByValue" => filter_rows(frame, options)?,
            "sortBy" => sort_rows(frame, &options["sort"][0])?,
            "limit" => {
                let most = options["limitField"].as_u64().ok_or("limitField is a number")?;
                let rows: Vec<usize> = (0..frame.rows()).take(usize::try_from(most).expect("small")).collect();
                frame.keep_rows(&rows);
            }
            "groupBy" => *frame = group(frame, options)?,
            "groupingToMatrix" => *frame = matrix(frame, options)?,
            "calculateField" => calculate(frame, options)?,
            other => return Err(format!("teach frames.rs the transformation {other}")),
        }
    }
    Ok(frames)
}

fn organize(frame: &mut Frame, options: &Value) -> Result<(), String> {
    for part in ["excludeByName", "indexByName", "renameByName"] {
        for name in options[part].as_object().into_iter().flat_map(|o| o.keys()) {
            frame.wanted(name)?;
        }
    }
    frame.fields.retain(|f| options["excludeByName"][&f.name] != true);
    frame.fields.sort_by_key(|f| options["indexByName"][&f.name].as_i64().unwrap_or(i64::MAX));
    if let Some(forgotten) = frame.fields.iter().find(|f| options["indexByName"].get(&f.name).is_none()) {
        return Err(format!("field {:?} is neither placed nor left out: tags come in any order", forgotten.name));
    }
    for field in &mut frame.fields {
        if let Some(name) = options["renameByName"][&field.name].as_str() {
            field.name = name.to_owned();
        }
    }
    Ok(())
}

fn filter_rows(frame: &mut Frame, options: &Value) -> Result<(), String> {
    let mut keep = Vec::new();
    for row in 0..frame.rows() {
        let mut met = Vec::new();
        for filter in list(&options["filters"]) {
            let value = &frame.wanted(text(&filter["fieldName"]))?.values[row];
            met.push(holds(value, &filter["config"])?);
        }
        let is_met = if options["match"] == "any" { met.contains(&true) } else { !met.contains(&false) };
        if is_met == (options["type"] == "include") {
            keep.push(row);
        }
    }
    frame.keep_rows(&keep);
    Ok(())
}

fn holds(value: &Value, config: &Value) -> Result<bool, String> {
    let bound = &config["options"]["value"];
    let order = value.as_f64().zip(bound.as_f64()).and_then(|(a, b)| a.partial_cmp(&b));
    Ok(match text(&config["id"]) {
        "equal" if bound.is_string() => value == bound,
        "equal" => order == Some(Ordering::Equal),
        "greater" => order == Some(Ordering::Greater),
        "greaterOrEqual" => matches!(order, Some(Ordering::Greater | Ordering::Equal)),
        "lower" => order == Some(Ordering::Less),
        "lowerOrEqual" => matches!(order, Some(Ordering::Less | Ordering::Equal)),
        "isNotNull" => !value.is_null(),
        other => return Err(format!("teach frames.rs the condition {other}")),
    })
}

fn compare(a: &Value, b: &Value) -> Ordering {
    match (a.as_f64(), b.as_f64()) {
        (Some(a), Some(b)) => a.total_cmp(&b),
        _ => a.as_str().cmp(&b.as_str()),
    }
}

fn sort_rows(frame: &mut Frame, by: &Value) -> Result<(), String> {
    let values = &frame.wanted(text(&by["field"]))?.values;
    let mut rows: Vec<usize> = (0..values.len()).collect();
    rows.sort_by(|a, b| compare(&values[*a], &values[*b]));
    if by["desc"] == true {
        rows.reverse();
    }
    frame.keep_rows(&rows);
    Ok(())
}

/// Rows with the same key, keys in the order in which they come.
fn groups(keys: &[&Field], rows: usize) -> Vec<(Vec<Value>, Vec<usize>)> {
    let mut found: Vec<(Vec<Value>, Vec<usize>)> = Vec::new();
    for row in 0..rows {
        let key: Vec<Value> = keys.iter().map(|f| f.values[row].clone()).collect();
        match found.iter_mut().find(|(k, _)| *k == key) {
            Some((_, rows)) => rows.push(row),
            None => found.push((key, vec![row])),
        }
    }
    found
}

fn group(frame: &Frame, options: &Value) -> Result<Frame, String> {
    let fields = options["fields"].as_object().ok_or("it names no field")?;
    let mut keys = Vec::new();
    for (name, _) in fields.iter().filter(|(_, f)| f["operation"] == "groupby") {
        keys.push(frame.wanted(name)?);
    }
    let groups = groups(&keys, frame.rows());
    let mut out = Frame::default();
    for (at, key) in keys.iter().enumerate() {
        out.fields.push(Field::new(&key.name, groups.iter().map(|(k, _)| k[at].clone()).collect()));
    }
    for (name, how) in fields.iter().filter(|(_, f)| f["operation"] == "aggregate") {
        let field = frame.wanted(name)?;
        for aggregation in list(&how["aggregations"]) {
            let mut values = Vec::new();
            for (_, rows) in &groups {
                let all: Vec<f64> = rows.iter().filter_map(|r| field.values[*r].as_f64()).collect();
                values.push(match text(aggregation) {
                    "count" => json!(rows.len()),
                    "sum" => json!(all.iter().sum::<f64>()),
                    "mean" => json!(all.iter().sum::<f64>() / all.len() as f64),
                    "max" => json!(all.iter().copied().reduce(f64::max)),
                    other => return Err(format!("teach frames.rs to aggregate by {other}")),
                });
            }
            out.fields.push(Field::new(&format!("{name} ({})", text(aggregation)), values));
        }
    }
    Ok(out)
}

fn matrix(frame: &Frame, options: &Value) -> Result<Frame, String> {
    let part = |name: &str| frame.wanted(text(&options[name]));
    let (row, column, value) = (part("rowField")?, part("columnField")?, part("valueField")?);
    let (row_groups, columns) = (groups(&[row], frame.rows()), groups(&[column], frame.rows()));
    let corner = format!("{}\\{}", row.name, column.name);
    let mut fields = vec![Field::new(&corner, row_groups.iter().map(|(key, _)| key[0].clone()).collect())];
    for (key, at_column) in columns {
        let cell = |rows: &[usize]| rows.iter().rev().find(|r| at_column.contains(r)).map(|r| value.values[*r].clone());
        let values = row_groups.iter().map(|(_, rows)| cell(rows).unwrap_or(Value::Null)).collect();
        fields.push(Field::new(key[0].as_str().map_or_else(|| key[0].to_string(), str::to_owned).as_str(), values));
    }
    Ok(Frame { fields })
}

fn join(frames: &[Frame], options: &Value) -> Result<Frame, String> {
    let by = text(&options["byField"]);
    let Some((first, others)) = frames.split_first() else { return Err("nothing to join".to_owned()) };
    let mut joined = first.clone();
    joined.wanted(by)?;
    for other in others {
        let keys = &other.wanted(by)?.values;
        let key_of = |joined: &Frame, row: usize| joined.field(by).expect("looked for above").values[row].clone();
        let pairs: Vec<(usize, Option<usize>)> = (0..joined.rows())
            .map(|row| (row, keys.iter().position(|k| *k == key_of(&joined, row))))
            .filter(|(_, found)| found.is_some() || options["mode"] == "outer")
            .collect();
        joined.keep_rows(&pairs.iter().map(|(row, _)| *row).collect::<Vec<_>>());
        for field in other.fields.iter().filter(|f| f.name != by) {
            let cell = |found: &Option<usize>| found.map_or(Value::Null, |row| field.values[row].clone());
            let values = pairs.iter().map(|(_, found)| cell(found)).collect();
            joined.fields.push(Field { values, ..field.clone() });
        }
    }
    Ok(joined)
}

fn merge(frames: &[Frame]) -> Result<Frame, String> {
    let Some((first, others)) = frames.split_first() else { return Err("nothing to merge".to_owned()) };
    let mut merged = first.clone();
    for other in others {
        for field in &mut merged.fields {
            field.values.extend(other.wanted(&field.name)?.values.iter().cloned());
        }
    }
    Ok(merged)
}

fn calculate(frame: &mut Frame, options: &Value) -> Result<(), String> {
    let side = |which: &str| frame.wanted(text(&options["binary"][which]["matcher"]["options"]));
    let (left, right) = (side("left")?, side("right")?);
    if options["mode"] != "binary" || options["binary"]["operator"] != "/" {
        return Err("teach frames.rs this calculation".to_owned());
    }
    let pairs = left.values.iter().zip(&right.values);
    let values = pairs.map(|(a, b)| json!(a.as_f64().zip(b.as_f64()).map(|(a, b)| a / b))).collect();
    let field = Field::new(text(&options["alias"]), values);
    frame.fields.push(field);
    Ok(())
}
