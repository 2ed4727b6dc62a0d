//! Which cells of two cuts of the same units may be published, so that no figure is about a handful of units: not a cell,
//! not what is left of the total, and not a sum of cells of one cut less a sum of cells of the other.
//!
//! A cell that may not be shown is merged with the others of its cut into a rest. What can be worked out of both cuts is a
//! level for every cell (how often it was added or taken away); the figures that remain are those of the units whose two
//! cells have different levels. So a set of units can be told apart exactly if the cells can be parted into two sides such
//! that it is the set that has a cell on either side. All ways to part the smaller cut are tried.

use std::collections::{BTreeMap, BTreeSet};

/// 2¹⁵ ways to part the second cut are a few milliseconds; nobody has so many types of site.
const CELLS_TRIED: usize = 16;

/// The cells of either cut that may be shown. What is not in here is the rest: empty, or large enough.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    pub first: BTreeSet<usize>,
    pub second: BTreeSet<usize>,
}

/// `units`: the cell of each unit in the first and in the second cut. Where both cuts together would tell too much, the
/// second gives way. None: even all of them are fewer than `least`.
pub fn shown(units: &[(usize, usize)], least: usize) -> Option<Shown> {
    if units.len() < least {
        return None;
    }
    let first = large_enough(units.iter().map(|u| u.0), least);
    let mut counts = BTreeMap::new();
    units.iter().for_each(|u| *counts.entry(u.1).or_insert(0) += 1);
    let mut second = large_enough(units.iter().map(|u| u.1), least);
    while !second.is_empty() && (second.len() >= CELLS_TRIED || tells_few_apart(units, &first, &second, least)) {
        drop_smallest(&mut second, &counts);
        settle(&mut second, &counts, units.len(), least);
    }
    Some(Shown { first, second })
}

fn large_enough(cells: impl Iterator<Item = usize>, least: usize) -> BTreeSet<usize> {
    let mut counts: BTreeMap<usize, usize> = BTreeMap::new();
    cells.for_each(|cell| *counts.entry(cell).or_default() += 1);
    let mut shown = counts.iter().filter(|(_, n)| **n >= least).map(|(cell, _)| *cell).collect();
    settle(&mut shown, &counts, counts.values().sum(), least);
    shown
}

/// The rest is the total less what is shown: while it is small, the smallest shown cell joins it.
fn settle(shown: &mut BTreeSet<usize>, counts: &BTreeMap<usize, usize>, total: usize, least: usize) {
    loop {
        let rest = total - shown.iter().map(|cell| counts[cell]).sum::<usize>();
        if rest == 0 || rest >= least || shown.is_empty() {
            return;
        }
        drop_smallest(shown, counts);
    }
}

fn drop_smallest(shown: &mut BTreeSet<usize>, counts: &BTreeMap<usize, usize>) {
    if let Some(smallest) = shown.iter().copied().min_by_key(|cell| (counts[cell], *cell)) {
        shown.remove(&smallest);
    }
}

fn tells_few_apart(units: &[(usize, usize)], first: &BTreeSet<usize>, second: &BTreeSet<usize>, least: usize) -> bool {
    let columns: Vec<usize> = second.iter().copied().collect();
    // The last column is the rest.
    let column = |cell: usize| columns.binary_search(&cell).unwrap_or(columns.len());
    let mut rows: BTreeMap<Option<usize>, Vec<usize>> = BTreeMap::new();
    for (a, b) in units {
        rows.entry(first.get(a).copied()).or_insert_with(|| vec![0; columns.len() + 1])[column(*b)] += 1;
    }
    let totals: Vec<usize> = rows.values().map(|row| row.iter().sum()).collect();
    // The rest stays on its side: the two sides may be swapped.
    (1u32..1 << columns.len()).any(|side| {
        let apart: usize = rows
            .values()
            .zip(&totals)
            .map(|(row, total)| {
                let here: usize = (0..columns.len()).filter(|c| side & (1 << c) != 0).map(|c| row[c]).sum();
                here.min(total - here)
            })
            .sum();
        apart > 0 && apart < least
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(units: &[(usize, usize, usize)], least: usize) -> Option<(Vec<usize>, Vec<usize>)> {
        let units: Vec<(usize, usize)> = units.iter().flat_map(|(a, b, n)| std::iter::repeat_n((*a, *b), *n)).collect();
        shown(&units, least).map(|s| (s.first.into_iter().collect(), s.second.into_iter().collect()))
    }

    #[test]
    fn a_small_cell_takes_the_smallest_large_one_with_it() {
        // 20, 7 and 2: without the 7, total − 20 − 7 would be the two.
        assert_eq!(check(&[(0, 0, 20), (1, 0, 7), (2, 0, 2)], 5), Some((vec![0], vec![0])));
        // 20, 7, 3 and 2: the two small ones hide each other.
        assert_eq!(check(&[(0, 0, 20), (1, 0, 7), (2, 0, 3), (3, 0, 2)], 5), Some((vec![0, 1], vec![0])));
        assert_eq!(check(&[(0, 0, 3), (1, 0, 3)], 5), Some((vec![], vec![0])), "only the total");
        assert_eq!(check(&[(0, 0, 3), (1, 0, 1)], 5), None, "not even that");
        assert_eq!(check(&[], 5), None);
    }

    #[test]
    fn a_type_of_site_that_one_city_has_almost_alone_is_not_shown_beside_the_city() {
        // City 0 has 10 schools and 1 park, city 1 has 10 parks: city 0 less the schools would be its only park.
        assert_eq!(check(&[(0, 0, 10), (0, 1, 1), (1, 1, 10)], 5), Some((vec![0, 1], vec![])));
        assert_eq!(check(&[(0, 0, 10), (0, 1, 5), (1, 1, 10)], 5), Some((vec![0, 1], vec![0, 1])));
        // The same cut twice says nothing new.
        assert_eq!(check(&[(0, 0, 10), (1, 1, 10)], 5), Some((vec![0, 1], vec![0, 1])));
    }

    proptest! {
        /// Every sum of published cells of one cut, less every sum of the other: whoever is left is nobody, or many.
        #[test]
        fn no_sums_and_differences_are_about_a_few(
            units in proptest::collection::vec((0usize..5, 0usize..4), 0..60), least in 3usize..7
        ) {
            let Some(shown) = shown(&units, least) else {
                prop_assert!(units.len() < least);
                return Ok(());
            };
            // The rest is one cell more.
            let place = |cells: &BTreeSet<usize>, cell: usize, rest: usize| if cells.contains(&cell) { cell } else { rest };
            for sides in 0u32..1 << 11 {
                let inside = |place: usize| sides & (1 << place) != 0;
                let left = units.iter().filter(|u| {
                    inside(place(&shown.first, u.0, 5)) != inside(6 + place(&shown.second, u.1, 4))
                }).count();
                prop_assert!(left == 0 || left >= least, "{} left of {:?}", left, shown);
            }
        }
    }
}
