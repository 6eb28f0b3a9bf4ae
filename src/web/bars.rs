//! Where the bars of the weeks stand: what was created above a line, what changed below it, both in one
//! scale, the providers one upon the other. Across all is in parts of the width, so that the picture needs
//! no size; up and down is in pixels.

use std::iter::Sum;
use std::ops::Add;

use chrono::NaiveDate;

use super::page::ProviderView;
use super::page::grouped;
use super::weeks::in_words;
use crate::store::WeekCount;

/// For all bars, above and below the line.
const HEIGHT: f64 = 136.0;
/// On either side, also where there is little: room for its word.
const LEAST_SIDE: f64 = 28.0;
/// A bar of anything at all can be seen.
const LEAST_BAR: f64 = 2.0;
/// Between the bars of two providers.
const GAP: f64 = 1.0;
/// Above and below all bars, for the number at the highest.
const MARGIN: f64 = 20.0;
/// Under that, for the dates.
const DATES: f64 = 20.0;
/// From a column's side to its bar, as a part of the column.
const INSET: f64 = 0.26;
/// Weeks from one date to the next.
const DATE_EVERY: usize = 3;

/// How many items were created and how many changed.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Both {
    pub created: i64,
    pub changed: i64,
}

impl From<&WeekCount> for Both {
    /// A process of an older version that imports beside this one counts nothing, and what it wrote may be
    /// taken back: never below nothing.
    fn from(it: &WeekCount) -> Self {
        Self {
            created: it.created.max(0),
            changed: it.changed.max(0),
        }
    }
}

impl Add for Both {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            created: self.created + other.created,
            changed: self.changed + other.changed,
        }
    }
}

impl Sum for Both {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), Add::add)
    }
}

/// The picture.
pub struct Bars {
    pub columns: Vec<Column>,
    pub height: f64,
    /// How far down the line is.
    pub line: f64,
    /// How far down the words stand that say what is above and below it.
    pub above: f64,
    pub below: f64,
    pub dates: Vec<Label>,
    /// The most that was created and changed in a week.
    pub peaks: Vec<Label>,
}

/// One week.
pub struct Column {
    pub x: String,
    pub width: String,
    /// What it holds, for who points at it.
    pub said: String,
    pub bar_x: String,
    pub bar_width: String,
    pub bars: Vec<Bar>,
}

pub struct Bar {
    pub slug: &'static str,
    pub side: &'static str,
    pub y: String,
    pub height: String,
}

/// A text in the picture.
pub struct Label {
    pub x: String,
    pub y: f64,
    pub anchor: &'static str,
    pub text: String,
}

/// How numbers become heights.
struct Scale {
    line: f64,
    pixels: f64,
}

impl Scale {
    fn new(up: i64, down: i64) -> Self {
        let (up, down) = (up as f64, down as f64);
        let above = (HEIGHT * up / (up + down)).clamp(LEAST_SIDE, HEIGHT - LEAST_SIDE);
        Self {
            line: MARGIN + above,
            // A side without anything sets no limit.
            pixels: (above / up).min((HEIGHT - above) / down),
        }
    }

    fn height(&self, n: i64) -> f64 {
        match n {
            0 => 0.0,
            n => (n as f64 * self.pixels).max(LEAST_BAR),
        }
    }
}

impl Bars {
    /// `None` where there is nothing to draw.
    pub fn new(providers: &[ProviderView], weeks: &[(NaiveDate, Vec<Both>)]) -> Option<Self> {
        let sums: Vec<Both> = weeks
            .iter()
            .map(|(_, it)| it.iter().copied().sum())
            .collect();
        let up = sums.iter().map(|it| it.created).max()?;
        let down = sums.iter().map(|it| it.changed).max()?;
        if up == 0 && down == 0 {
            return None;
        }
        let scale = Scale::new(up, down);
        let across = Across(weeks.len());
        let mut peaks = Vec::new();
        let mut columns = Vec::new();
        for (at, (monday, counts)) in weeks.iter().enumerate() {
            let (bars, top, bottom) = stack(&scale, providers, counts);
            if up > 0 && up == sums[at].created && !peaks.iter().any(|it: &Label| it.y < scale.line)
            {
                peaks.push(across.number(at, top - 5.0, up));
            }
            if down > 0 && down == sums[at].changed && !peaks.iter().any(|it| it.y > scale.line) {
                peaks.push(across.number(at, bottom + 14.0, down));
            }
            columns.push(across.column(at, said(providers, *monday, counts), bars));
        }
        let bottom = MARGIN + HEIGHT + MARGIN;
        Some(Self {
            columns,
            peaks,
            height: bottom + DATES,
            line: scale.line,
            above: (MARGIN + scale.line) / 2.0 + 4.0,
            below: (scale.line + MARGIN + HEIGHT) / 2.0 + 4.0,
            dates: across.dates(weeks, bottom + DATES - 4.0),
        })
    }
}

/// The bars of a week, and where they end above and below.
fn stack(scale: &Scale, providers: &[ProviderView], counts: &[Both]) -> (Vec<Bar>, f64, f64) {
    let (mut top, mut bottom) = (scale.line, scale.line);
    let mut bars = Vec::new();
    for (provider, counts) in providers.iter().zip(counts) {
        let (up, down) = (scale.height(counts.created), scale.height(counts.changed));
        top -= up;
        for (side, y, height) in [("created", top, up), ("changed", bottom + GAP, down)] {
            if height > 0.0 {
                bars.push(Bar {
                    slug: provider.slug,
                    side,
                    y: format!("{y:.1}"),
                    height: format!("{:.1}", (height - GAP).max(GAP)),
                });
            }
        }
        bottom += down;
    }
    (bars, top, bottom)
}

fn said(providers: &[ProviderView], monday: NaiveDate, counts: &[Both]) -> String {
    let some = providers
        .iter()
        .zip(counts)
        .filter(|(_, it)| **it != Both::default());
    let some: Vec<String> = some
        .map(|(provider, it)| format!("{}: {}", provider.name, in_words(*it)))
        .collect();
    let week = format!("Week of {}", monday.format("%-d %B"));
    match some.is_empty() {
        true => format!("{week}\nNothing"),
        false => format!("{week}\n{}", some.join("\n")),
    }
}

/// So many columns side by side.
struct Across(usize);

impl Across {
    /// So many columns from the left.
    fn at(&self, columns: f64) -> String {
        format!("{:.2}%", columns * 100.0 / self.0 as f64)
    }

    fn column(&self, at: usize, said: String, bars: Vec<Bar>) -> Column {
        Column {
            x: self.at(at as f64),
            width: self.at(1.0),
            said,
            bar_x: self.at(at as f64 + INSET),
            bar_width: self.at(1.0 - 2.0 * INSET),
            bars,
        }
    }

    /// A number over or under a bar; at the sides inwards, for it may be wider.
    fn number(&self, at: usize, y: f64, n: i64) -> Label {
        let (inside, anchor) = match at {
            0 | 1 => (INSET, "start"),
            at if at + 2 >= self.0 => (1.0 - INSET, "end"),
            _ => (0.5, "middle"),
        };
        Label {
            x: self.at(at as f64 + inside),
            y,
            anchor,
            text: grouped(n),
        }
    }

    /// Every third Monday, and the week that is on.
    fn dates(&self, weeks: &[(NaiveDate, Vec<Both>)], y: f64) -> Vec<Label> {
        let dates = weeks.iter().enumerate().step_by(DATE_EVERY);
        let date = |(at, (monday, _)): (usize, &(NaiveDate, Vec<Both>))| Label {
            x: self.at(at as f64 + INSET),
            y,
            anchor: "start",
            text: monday.format("%-d %b").to_string(),
        };
        // The last of them would stand in the way of this one.
        let mut dates: Vec<Label> = dates.map(date).collect();
        dates.pop();
        dates.push(Label {
            x: self.at(self.0 as f64 - INSET),
            y,
            anchor: "end",
            text: "This week".into(),
        });
        dates
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: NaiveDate = NaiveDate::MIN;

    fn providers() -> [ProviderView; 3] {
        let view = |name: &'static str| ProviderView {
            slug: name,
            name,
            letter: 'A',
            brings: String::new(),
        };
        ["one", "two", "three"].map(view)
    }

    fn weeks(counts: &[[(i64, i64); 3]]) -> Vec<(NaiveDate, Vec<Both>)> {
        let both = |(created, changed)| Both { created, changed };
        let week = |it: &[(i64, i64); 3]| (DAY, it.map(both).to_vec());
        counts.iter().map(week).collect()
    }

    fn heights(bars: &Bars, side: &str) -> Vec<f64> {
        let all = bars.columns.iter().flat_map(|it| &it.bars);
        let own = all.filter(|bar| bar.side == side);
        own.map(|bar| bar.height.parse::<f64>().unwrap()).collect()
    }

    #[test]
    fn above_and_below_are_in_one_scale_and_nothing_is_too_small_to_see() {
        let counts = [[(30, 10), (0, 0), (0, 0)], [(0, 0), (60, 30), (0, 0)]];
        let bars = Bars::new(&providers(), &weeks(&counts)).unwrap();
        let (up, down) = (heights(&bars, "created"), heights(&bars, "changed"));
        for (whole, half) in [(up[1], up[0]), (up[1], down[1])] {
            assert!(
                (whole + GAP - 2.0 * (half + GAP)).abs() < 0.3,
                "{up:?} {down:?}"
            );
        }
        let huge = [[(1_000_000_000, 1), (1, 0), (0, 0)]];
        let bars = Bars::new(&providers(), &weeks(&huge)).unwrap();
        assert!(heights(&bars, "created").iter().all(|it| *it >= GAP));
        assert_eq!(heights(&bars, "changed"), [LEAST_BAR - GAP]);
    }

    #[test]
    fn all_bars_stay_within_the_picture() {
        for counts in [
            [[(1, 0), (1, 0), (1_000_000, 0)], [(5, 0), (0, 0), (1, 0)]],
            [[(0, 9), (0, 1), (0, 1)], [(0, 0), (0, 0), (0, 0)]],
            [
                [(i64::from(u32::MAX), 7), (0, 0), (0, 1)],
                [(0, 8), (1, 1), (1, 1)],
            ],
        ] {
            let bars = Bars::new(&providers(), &weeks(&counts)).unwrap();
            for bar in bars.columns.iter().flat_map(|it| &it.bars) {
                let (y, height): (f64, f64) = (bar.y.parse().unwrap(), bar.height.parse().unwrap());
                assert!(y > 10.0 && y + height < bars.height - DATES, "{y} {height}");
            }
        }
        assert!(Bars::new(&providers(), &weeks(&[[(0, 0); 3]; 12])).is_none());
    }

    #[test]
    fn the_most_of_either_side_is_told_once() {
        let counts = [
            [(4, 0), (1, 1), (0, 0)],
            [(5, 0), (0, 1), (0, 0)],
            [(0, 0), (0, 0), (0, 0)],
        ];
        let bars = Bars::new(&providers(), &weeks(&counts)).unwrap();
        let told: Vec<&str> = bars.peaks.iter().map(|it| it.text.as_str()).collect();
        assert_eq!(told, ["5", "1"]);
    }
}
