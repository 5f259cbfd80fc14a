//! The figures for people and for programs: a block of the table for each group, the assumptions below it, and JSON.

use serde_json::{Value, json};

use super::{
    Block,
    figures::Figures,
    flags::Args,
    readers::Readers,
    scene::{Making, Scene},
    strategy::Strategy,
};
use crate::cli::measure::{
    float,
    report::{Report, number, size},
};

/// The headings. All but the last three are means over the messages.
const COLUMNS: [&str; 15] = [
    "per message and its sender",
    "requests",
    "answers",
    "events",
    "up",
    "down",
    "connections",
    "wakes",
    "radio on",
    "age p50",
    "age p99",
    "in 20 s",
    "CPU",
    "of it asking",
    "memory",
];

/// Everything that `args` asked for.
pub(super) fn report(args: &Args, blocks: &[Block]) -> Report {
    let mut report = Report::new("simulate", args.seed, &COLUMNS);
    for (place, Block { scene, strategies }) in blocks.iter().enumerate() {
        if place > 0 {
            report.row([]);
        }
        report.row([format!("{}, {} times as fast", heading(scene), scene.factor)]);
        for figures in strategies {
            report.row(row(figures));
        }
    }
    for note in notes(args, blocks) {
        report.note(note);
    }
    report.figure("parameters", parameters(args));
    report.figure("groups", blocks.iter().map(group).collect());
    report
}

fn heading(scene: &Scene) -> String {
    let Scene { name, members, messages, is_made, .. } = scene;
    if *is_made {
        format!("{} members", number(members.len() as u64))
    } else {
        format!("{name}: {} members, {} messages", members.len(), messages.len())
    }
}

fn row(figures: &Figures) -> Vec<String> {
    let (sums, messages) = (&figures.sums, float(figures.messages.len() as u64));
    let mean = |sum: u64| float(sum) / messages;
    let of_ms = |ms: f64| format!("{:.1} ms", ms / messages);
    let mut cells = vec![format!("  {}", figures.name)];
    if figures.strategy == Strategy::Nobody.key() {
        cells.extend(std::iter::repeat_n("-".to_owned(), 11));
        cells.extend([of_ms(figures.cpu_ms), "-".to_owned()]);
    } else {
        cells.extend([sums.requests, sums.answers, sums.events].map(|sum| counted(mean(sum))));
        cells.extend([sums.bytes_up, sums.bytes_down].map(|sum| bytes(mean(sum))));
        cells.extend([sums.connections, sums.wakes].map(|sum| counted(mean(sum))));
        cells.push(format!("{} s", counted(sums.awake_s / messages)));
        cells.extend(
            [figures.age_p50_s, figures.age_p99_s, figures.age_beginning_p99_s]
                .map(|age| if figures.is_late { "late".to_owned() } else { format!("{age:.1} s") }),
        );
        cells.extend([of_ms(figures.cpu_ms), of_ms(figures.cpu_above_ms)]);
    }
    cells.push(size(figures.resident_most));
    cells
}

/// A mean of counts: `3.4`, `1,235`.
fn counted(mean: f64) -> String {
    if mean < 100.0 { format!("{mean:.1}") } else { number(rounded(mean)) }
}

/// `4,020 B`, `19.9 kB`, `525 kB`.
fn bytes(mean: f64) -> String {
    match mean / 1e3 {
        kilobytes if kilobytes < 10.0 => format!("{} B", number(rounded(mean))),
        kilobytes => format!("{} kB", counted(kilobytes)),
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "means of what was counted in a u64"
)]
fn rounded(mean: f64) -> u64 {
    mean.round() as u64
}

fn notes(args: &Args, blocks: &[Block]) -> Vec<String> {
    let Making { horizon, readers, looks, messages, .. } = args.making();
    let written = humantime::format_duration;
    let mut notes = vec![
        String::new(),
        format!(
            "{messages} messages{} a group, followed for {}, seed {}; 60 times as fast, 1 real ms is 60 simulated ms; streams' \
             events and keep-alives are set as fast, and phones take the pace of pulls for simulated time",
            if args.trace.is_some() { " at most" } else { "" }, written(horizon), args.seed
        ),
        format!(
            "{}; looks: {} after sending, {} more of {} to {}",
            if args.trace.is_some() { "readers: as in the trace".to_owned() } else { model(&readers) },
            written(looks.first),
            looks.more,
            written(looks.between.0),
            written(looks.between.1)
        ),
        format!(
            "bytes are what TCP carries: no TCP, IP or TLS, and only the fields of HTTP that are needed; a radio stays on \
             for {} after a byte, and wakes with the first byte after that; a look of combined and of proactive pull is a \
             connection, and what it takes to open one is not counted",
            written(args.radio_tail)
        ),
        "age: how old the shown count is while the sender looks, sampled 4 times a second but in the first second of a look; \
         in 20 s: its p99 in the first 20 s of each look, for which the server has a phone pull, while looks may last longer; \
         CPU: the server's, per message, and of it asking what is above the server nobody asks, of which some per cent are \
         noise; memory: the server's at its most"
            .to_owned(),
    ];
    notes.extend(blocks.iter().map(late));
    notes.extend(blocks.iter().filter_map(pushed));
    notes
}

fn model(readers: &Readers) -> String {
    let written = humantime::format_duration;
    format!(
        "readers: {:.0} % ever; {:.0} % of them after {} on average, the others log-normal with median {} and sigma {}",
        readers.reach * 100.0,
        readers.fast_share * 100.0,
        written(readers.fast_mean),
        written(readers.median),
        readers.sigma
    )
}

fn late(Block { scene, strategies }: &Block) -> String {
    let late = strategies.iter().map(|figures| figures.late_p99_s).fold(0.0, f64::max);
    let is_late = strategies.iter().any(|figures| figures.is_late);
    let busy = if is_late {
        ": the machine is too busy for this, and ages say nothing; take a lower --factor"
    } else {
        ""
    };
    let heading = heading(scene);
    format!("{heading}: 99 % of the marks were answered within {late:.1} s (simulated) of their time{busy}")
}

/// The theory of the naive push: as many events as members that read.
fn pushed(Block { scene, strategies }: &Block) -> Option<String> {
    let push = strategies.iter().find(|figures| figures.strategy == Strategy::Push.key())?;
    let shown_first: u64 = push.messages.iter().map(|message| u64::from(message.shown_first)).sum();
    Some(format!(
        "{}: {} members read, and the naive push pushed {} events after the first ones{}: {}",
        heading(scene),
        number(push.sums.members_read),
        number(push.sums.pushed),
        if shown_first == 0 { String::new() } else { format!(", which showed {shown_first}") },
        if push.pushed_as_read() { "they agree" } else { "THEY DIFFER" }
    ))
}

fn parameters(args: &Args) -> Value {
    let Making { horizon, readers, looks, spread, .. } = args.making();
    json!({
        "factor": args.factor,
        "for_s": horizon.as_secs_f64(),
        "spread_s": spread.as_secs_f64(),
        "radio_tail_s": args.radio_tail.as_secs_f64(),
        "reach": readers.reach,
        "median_s": readers.median.as_secs_f64(),
        "sigma": readers.sigma,
        "fast": readers.fast_share,
        "fast_mean_s": readers.fast_mean.as_secs_f64(),
        "first_look_s": looks.first.as_secs_f64(),
        "looks": looks.more,
        "look_min_s": looks.between.0.as_secs_f64(),
        "look_max_s": looks.between.1.as_secs_f64(),
    })
}

fn group(Block { scene, strategies }: &Block) -> Value {
    json!({
        "name": scene.name,
        "factor": scene.factor,
        "members": scene.members.len(),
        "messages": scene.messages.len(),
        "marks": scene.reads.len(),
        "push_agrees": strategies
            .iter()
            .find(|figures| figures.strategy == Strategy::Push.key())
            .map(Figures::pushed_as_read),
        "strategies": strategies,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn means_are_written_as_people_read_them() {
        assert_eq!([4_020.4, 19_900.0, 525_000.0].map(bytes), ["4,020 B", "19.9 kB", "525 kB"]);
        assert_eq!([0.0, 3.44, 99.9, 1_234.6].map(counted), ["0.0", "3.4", "99.9", "1,235"]);
    }
}
