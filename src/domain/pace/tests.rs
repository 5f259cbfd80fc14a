//! The rules one by one, and the loop of server and clients closed: clients who learn the pace from their answers.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "a simulation counts in small numbers"
)]

use proptest::prelude::*;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn paces(stretch: &mut Stretch, loads: &[f64]) -> Vec<u64> {
    loads.iter().map(|load| stretch.look(*load, SECOND)).collect()
}

#[test]
fn one_spike_does_nothing() {
    let mut stretch = Stretch::new(2_000, 10_000);
    assert_eq!(paces(&mut stretch, &[9.0, 0.1, 9.0, 0.1, 0.99, 0.99, 9.0, 0.1]), [2_000; 8]);
    assert!(!stretch.is_stretched());
}

#[test]
fn a_step_turns_slowly_and_waits_for_its_effect() {
    let mut stretch = Stretch::new(2_000, 10_000);
    assert_eq!(paces(&mut stretch, &[9.0; 4]), [2_000, 2_000, 3_000, 4_000]);
    assert_eq!(paces(&mut stretch, &[0.9; 9]), [4_000; 9], "it comes to rest");
    // The second look decides, since the last step was up as well; then it turns for four seconds.
    let turned = paces(&mut stretch, &[1.2; 8]);
    assert_eq!(turned, [4_000, 4_000, 5_000, 5_000, 6_000, 6_000, 6_000, 6_000]);
}

#[test]
fn it_never_goes_past_the_limit_nor_below_the_base() {
    let mut stretch = Stretch::new(2_000, 10_000);
    let up = paces(&mut stretch, &[9.0; 40]);
    assert!(up.is_sorted() && up[39] == 10_000, "{up:?}");
    let down = paces(&mut stretch, &[0.0; 60]);
    assert!(down.is_sorted_by(|a, b| a >= b) && down[59] == 2_000, "{down:?}");
}

#[test]
fn a_stretched_pace_is_whole_seconds_and_the_base_is_as_it_was_given() {
    let mut stretch = Stretch::new(2_500, 9_900);
    let all = paces(&mut stretch, &[vec![9.0; 40], vec![0.0; 80]].concat());
    assert!(all.iter().all(|every| *every == 2_500 || every % 1_000 == 0), "{all:?}");
    assert!(all.contains(&9_000) && all.iter().all(|every| *every <= 9_000) && all[119] == 2_500, "{all:?}");
    let mut fixed = Stretch::new(2_000, 2_999);
    assert_eq!(paces(&mut fixed, &[9.0; 9]), [2_000; 9]);
}

#[test]
fn it_goes_back_only_as_far_as_the_load_allows() {
    let mut stretch = Stretch::new(2_000, 10_000);
    paces(&mut stretch, &[9.0; 4]);
    // At 3 seconds it would be 0.67, at 2 it would be 1.
    assert_eq!(paces(&mut stretch, &[0.5; 9])[8], 3_000);
    // At 2 seconds it would be 0.83, and these were too short before.
    assert_eq!(paces(&mut stretch, &[0.55; 9]), [3_000; 9]);
    assert_eq!(paces(&mut stretch, &[0.45; 9])[8], 2_000);
}

/// A server that does `capacity` a second, first come, first served, and clients who obey it.
struct Loop {
    clients: usize,
    capacity: f64,
    /// Which part of the capacity goes to what is no pull.
    marks: f64,
    /// By how much a look is off, at most.
    noise: f64,
    chance: fastrand::Rng,
}

/// What the target is of all that a processor can do.
const TARGET: f64 = 0.8;
/// Time is cut into so many steps a second.
const STEPS: usize = 50;

impl Loop {
    fn new(demand: f64, marks: f64, noise: f64, seed: u64) -> Self {
        let capacity = 1_000.0;
        let clients = (demand * capacity * (1.0 - marks) * 2.0) as usize;
        Self { clients, capacity, marks, noise, chance: fastrand::Rng::with_seed(seed) }
    }

    /// The pace each second, and the share of each second's work.
    fn run(&mut self, stretch: &mut Stretch, seconds: usize) -> Vec<(u64, f64)> {
        let mut due = vec![0_usize; seconds * STEPS];
        for _ in 0..self.clients {
            due[self.chance.usize(..2 * STEPS)] += 1;
        }
        let (mut waiting, mut room, mut busy, mut seen) = (0, 0.0, 0.0, Vec::new());
        for step in 0..seconds * STEPS {
            waiting += due[step];
            let most = self.capacity * (1.0 - self.marks) / STEPS as f64;
            room += most;
            let answered = waiting.min(room as usize);
            waiting -= answered;
            room = (room - answered as f64).min(1.0);
            busy += self.marks + (1.0 - self.marks) * answered as f64 / most;
            for _ in 0..answered {
                let every = stretch.every_ms() as f64 / 1e3 * (1.0 + 0.1 * self.chance.f64());
                let next = step + 1 + (every * STEPS as f64) as usize;
                if let Some(due) = due.get_mut(next) {
                    *due += 1;
                }
            }
            if (step + 1) % STEPS == 0 {
                let share = busy / STEPS as f64;
                // What waits more than a moment shows as well.
                let waits = waiting as f64 / self.capacity / 0.1;
                let off = 1.0 + self.noise * (2.0 * self.chance.f64() - 1.0);
                seen.push((stretch.look((share / TARGET).max(waits) * off, SECOND), share));
                busy = 0.0;
            }
        }
        seen
    }
}

/// How often the pace begins to fall after it rose, or to rise after it fell.
fn turns(seen: &[(u64, f64)]) -> usize {
    let steps: Vec<_> = seen.windows(2).map(|two| two[1].0.cmp(&two[0].0)).filter(|o| o.is_ne()).collect();
    steps.windows(2).filter(|two| two[0] != two[1]).count()
}

/// Where the pace comes to rest, after it has turned at most so often.
fn settled(demand: f64, marks: f64, noise: f64, turns_most: usize, seed: u64) -> u64 {
    let mut stretch = Stretch::new(2_000, 10_000);
    let seen = Loop::new(demand, marks, noise, seed).run(&mut stretch, 400);
    let rest = &seen[300..];
    let said = || {
        let paces: Vec<_> =
            seen[..].iter().map(|(every, share)| format!("{}:{share:.1}", every / 1000)).collect();
        format!("demand {demand}, marks {marks}, noise {noise}, seed {seed}: {}", paces.join(" "))
    };
    assert!(turns(&seen) <= turns_most, "{}", said());
    let last = rest[rest.len() - 1].0;
    let share = rest.iter().map(|(_, share)| share).sum::<f64>() / rest.len() as f64;
    assert!(share < 0.85 || last == 10_000, "{}", said());
    last
}

#[test]
fn under_a_constant_demand_it_comes_to_rest() {
    let cases = [
        (0.5, 2_000, 2_000),
        (1.0, 3_000, 4_000),
        (2.0, 5_000, 7_000),
        (5.0, 10_000, 10_000),
        (7.0, 10_000, 10_000),
    ];
    for (demand, least, most) in cases {
        let every = settled(demand, 0.0, 0.0, 1, 1);
        assert!((least..=most).contains(&every), "{demand}: {every}");
    }
}

#[test]
fn marks_that_no_pace_makes_fewer_are_no_reason_to_go_back_and_forth() {
    for marks in [0.1, 0.3, 0.6] {
        for demand in [1.0, 2.0, 5.0] {
            settled(demand, marks, 0.0, 1, 2);
        }
    }
    // Where marks alone are too much, the pace stays at the limit.
    assert_eq!(settled(1.0, 0.85, 0.0, 0, 3), 10_000);
}

#[test]
fn when_the_load_is_gone_it_comes_all_the_way_back() {
    let mut stretch = Stretch::new(2_000, 10_000);
    Loop::new(5.0, 0.1, 0.1, 4).run(&mut stretch, 60);
    assert!(stretch.is_stretched());
    let seen = Loop::new(0.2, 0.1, 0.1, 5).run(&mut stretch, 60);
    assert!(seen.is_sorted_by(|a, b| a.0 >= b.0), "{seen:?}");
    assert_eq!(seen[59].0, 2_000, "{seen:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_the_demand_it_comes_to_rest(
        demand in 0.1..8.0, marks in 0.0..0.7, noise in 0.0..0.15, seed: u64,
    ) {
        settled(demand, marks, noise, 3, seed);
    }

    #[test]
    fn whatever_the_loads_the_pace_is_one_that_may_be_told(
        base in 10_u64..20_000,
        more in 0_u64..20_000,
        looks in proptest::collection::vec((0.0..4.0, 0_u64..3_000), 0..200),
    ) {
        let mut stretch = Stretch::new(base, base + more);
        for (load, ms) in looks {
            let every = stretch.look(load, Duration::from_millis(ms));
            prop_assert!(every == base || every.is_multiple_of(1_000) && (base..=base + more).contains(&every));
        }
    }
}

#[test]
fn a_base_of_less_than_a_second_is_come_back_to() {
    let second = Duration::from_secs(1);
    for base_ms in [10, 100, 250, 499, 500, 999] {
        let mut stretch = Stretch::new(base_ms, 10_000);
        (0..3).for_each(|_| _ = stretch.look(1.3, second));
        assert!(stretch.is_stretched(), "{base_ms}");
        (0..60).for_each(|_| _ = stretch.look(0.5, second));
        assert!(base_ms > 500 || stretch.is_stretched(), "{base_ms}: the base would be too much");
        (0..60).for_each(|_| _ = stretch.look(0.005, second));
        assert_eq!(stretch.every_ms(), base_ms);
    }
}
