use proptest::prelude::*;

use super::*;

#[derive(Debug, Clone, PartialEq)]
struct Row {
    key: String,
    text: &'static str,
    number: Option<f64>,
    since: Option<Timestamp>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Column {
    Text,
    Number,
    Since,
}

impl Fields<Column> for Row {
    fn value(&self, field: &Column) -> Value<'_> {
        match field {
            Column::Text => Value::text(self.text),
            Column::Number => Value::number(self.number),
            Column::Since => Value::time(self.since),
        }
    }
    fn key(&self) -> String {
        self.key.clone()
    }
}

const NOW: i64 = 1_000_000_000;

fn now() -> Timestamp {
    Timestamp::from_millis(NOW)
}

fn row(key: &str, text: &'static str, number: Option<f64>, age_ms: Option<i64>) -> Row {
    Row { key: key.to_owned(), text, number, since: age_ms.map(|age| Timestamp::from_millis(NOW - age)) }
}

fn check(field: Column, op: Op, operand: Operand, want: &str) {
    let rows = [
        row("a", "Peshawar", Some(1.0), Some(5_000)),
        row("b", "", None, None),
        row("c", "پشاور", Some(3.0), Some(60_000)),
    ];
    let query = Query { clauses: vec![Clause { field, any: vec![Test { op, operand }] }], ..Query::default() };
    let got: String = query.pick(rows.into_iter(), now()).items.into_iter().map(|r| r.key).collect();
    assert_eq!(got, want, "{field:?} {op:?}");
}

#[test]
fn a_row_is_picked_by_what_it_says() {
    let text = |t: &str| Operand::Text(t.to_owned());
    check(Column::Text, Op::Is, text("peshawar"), "a");
    check(Column::Text, Op::Is, text("پشاور"), "c");
    check(Column::Text, Op::IsNot, text("peshawar"), "bc");
    check(Column::Text, Op::Contains, text("sha"), "a");
    check(Column::Text, Op::ContainsNot, text("sha"), "bc");
    check(Column::Text, Op::Is, Operand::Nothing, "b");
    check(Column::Text, Op::IsNot, Operand::Nothing, "ac");
    check(Column::Number, Op::Below, Operand::Number(3.0), "a");
    check(Column::Number, Op::AtMost, Operand::Number(3.0), "ac");
    check(Column::Number, Op::Above, Operand::Number(1.0), "c");
    check(Column::Number, Op::AtLeast, Operand::Number(4.0), "");
    check(Column::Since, Op::Above, Operand::Span(10_000), "c");
    check(Column::Since, Op::Below, Operand::Span(10_000), "a");
    check(Column::Since, Op::Below, Operand::Time(Timestamp::from_millis(NOW - 10_000)), "c");
}

#[test]
fn what_was_never_heard_is_more_silent_than_any_span() {
    let above = |ms| Test { op: Op::Above, operand: Operand::Span(ms) };
    assert!(above(i64::MAX).holds(&Value::Forever, now()));
    assert!(!Test { op: Op::Below, operand: Operand::Span(i64::MAX) }.holds(&Value::Forever, now()));
}

#[test]
fn words_with_a_rank_can_be_above_and_below() {
    let words = vec!["warning", "minor", "major", "critical"];
    let at_least = Test { op: Op::AtLeast, operand: Operand::Rank { rank: 2, words } };
    let held: Vec<bool> =
        ["critical", "major", "minor", "unheard-of"].map(|w| at_least.holds(&Value::text(w), now())).into();
    assert_eq!(held, [true, true, false, false]);
}

fn any_row() -> impl Strategy<Value = Row> {
    let text = prop_oneof![Just(""), Just("b"), Just("A"), Just("پشاور")];
    ("[a-c]{1,3}", text, proptest::option::of(-3..3i32), proptest::option::of(0..5i64)).prop_map(
        |(key, text, number, age)| Row {
            key,
            text,
            number: number.map(f64::from),
            since: age.map(|a| Timestamp::from_millis(NOW - a)),
        },
    )
}

/// Keys differ, and the rows come in any order.
fn some_rows() -> impl Strategy<Value = Vec<Row>> {
    let rows = proptest::collection::btree_map("[a-d]{1,3}", any_row(), 0..30);
    rows.prop_map(|rows| rows.into_iter().map(|(key, row)| Row { key, ..row }).collect::<Vec<_>>()).prop_shuffle()
}

proptest! {
    /// Page after page, every row comes once, in the same order as all at once; rows that come and go in between move nobody.
    #[test]
    fn pages_put_together_are_the_whole_list(
        rows in some_rows(),
        limit in 1usize..7,
        sorted in proptest::option::of((prop_oneof![Just(Column::Text), Just(Column::Number), Just(Column::Since)], any::<bool>())),
        gone in 0usize..30,
    ) {
        let sort = sorted.map(|(field, falling)| Sort { field, falling });
        let mut whole = Query { sort: sort.clone(), ..Query::default() }.pick(rows.iter().cloned(), now());
        prop_assert_eq!(whole.total, rows.len());
        prop_assert_eq!(&whole.next, &None);
        // In pages a list has the order of its keys, where it has no other.
        if sort.is_none() && limit < rows.len() {
            whole.items.sort_by(|a, b| a.key.cmp(&b.key));
        }
        let (mut seen, mut after) = (Vec::new(), None);
        loop {
            let query = Query { sort: sort.clone(), limit: Some(limit), after, ..Query::default() };
            let page = query.pick(rows.iter().cloned(), now());
            // The same place is found when the row it names has gone meanwhile.
            let kept: Vec<Row> = rows.iter().enumerate().filter(|(i, r)| *i != gone || seen.iter().any(|s: &Row| s.key == r.key)).map(|(_, r)| r.clone()).collect();
            let without = query.pick(kept.iter().filter(|r| query.after.as_ref().is_none_or(|a| a.key != r.key)).cloned(), now());
            let expect: Vec<&Row> = page.items.iter().filter(|r| rows.get(gone).is_none_or(|g| g.key != r.key)).collect();
            // What has shrunk to one page has its own order again.
            let in_pages = sort.is_some() || query.after.is_some() || without.total > limit;
            prop_assert!(!in_pages || expect.iter().zip(&without.items).all(|(a, b)| a.key == b.key));
            seen.extend(page.items);
            match page.next {
                Some(next) => after = Some(next),
                None => break,
            }
        }
        prop_assert_eq!(seen, whole.items);
    }

    #[test]
    fn a_cursor_reads_back_as_it_was_written(number in proptest::num::f64::NORMAL, text in ".{0,20}", key in ".{0,20}") {
        for sort in [SortKey::Number(number), SortKey::Text(text.clone()), SortKey::Nothing] {
            let cursor = Cursor { sort, key: key.clone() };
            let json = serde_json::to_string(&cursor).expect("plain values");
            prop_assert_eq!(serde_json::from_str::<Cursor>(&json).expect("as written"), cursor);
        }
    }
}
