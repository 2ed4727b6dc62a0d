//! `all = [ … ]` and `any = [ … ]`: several signs that make one fault. Never decides which of them hold.

use super::super::super::document::Block;
use super::read_part;
use crate::domain::rule::{Condition, Side};

/// `all` in `any` in `all` is as much as a person can still read.
const DEEPEST: usize = 3;
/// The signs of one condition: each is kept for each unit.
const MOST_SIGNS: usize = 8;

/// The parts of `key`. None: something was noted.
pub(super) fn parts(block: &Block<'_>, key: &'static str, depth: usize) -> Option<Vec<Condition>> {
    let item = block.get(key)?;
    if depth > DEEPEST {
        item.wrong(format_args!("is nested too deeply: at most {DEEPEST} of all and any inside one another"));
        return None;
    }
    let list = item.list();
    let mut found: Vec<Option<Condition>> = Vec::new();
    for (i, part) in list.iter().enumerate() {
        if !part.is_group() {
            part.wrong(format_args!(
                "must hold conditions, such as {{ metric = \"battery.voltage\", below = 11.6 }}{}; the id of a rule has no place here",
                part.got()
            ));
            found.push(None);
            continue;
        }
        let inner = part.block()?.called(format!("{}{key}, part {}: ", part.called_by(), i + 1));
        let condition = read_part(&inner, key, depth + 1);
        if let Some(condition) = &condition {
            let other = |is_such: &dyn Fn(&Condition) -> bool| {
                found.iter().position(|other| other.as_ref().is_some_and(is_such)).map(|place| place + 1)
            };
            if let Some(twin) = other(&|o| o == condition) {
                inner.wrong(format_args!("it says the same as part {twin}; drop one"));
            } else if let Some(other) = other(&|o| key == "all" && excludes(o, condition)) {
                inner
                    .wrong(format_args!("it can never be true together with part {other}; move a limit, or write any"));
            }
        }
        found.push(condition);
    }
    if list.len() < 2 {
        item.wrong(format_args!("needs at least 2 parts; a condition of one part is written without {key}"));
        return None;
    }
    let found: Vec<Condition> = found.into_iter().collect::<Option<_>>()?;
    let signs: usize = found.iter().map(|c| c.leaves().len()).sum();
    if depth == 1 && signs > MOST_SIGNS {
        item.wrong(format_args!("has {signs} conditions in all; at most {MOST_SIGNS}: make several rules of it"));
    }
    Some(found)
}

/// Both are limits of one reading that cannot hold at once.
fn excludes(a: &Condition, b: &Condition) -> bool {
    let limit = |c: &Condition| match c {
        Condition::Threshold { metric, side, limit, .. } => Some((metric.clone(), *side, *limit)),
        Condition::Silent { .. }
        | Condition::Baseline { .. }
        | Condition::Rate { .. }
        | Condition::Forecast { .. }
        | Condition::Result { .. }
        | Condition::Count { .. }
        | Condition::Overdue { .. }
        | Condition::All(_)
        | Condition::Any(_) => None,
    };
    let (Some((metric, side, one)), Some((other_metric, other_side, other))) = (limit(a), limit(b)) else {
        return false;
    };
    let (below, above) = if side == Side::Below { (one, other) } else { (other, one) };
    metric == other_metric && side != other_side && below <= above
}
