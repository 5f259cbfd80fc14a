//! `seenby simulate`: the strategies side by side, over real sockets, each against a real server of its own.
//!
//! A `scene` is what happens whatever the strategy: who sends, who reads when (`readers`), when senders look. A `play` is
//! one `strategy` on one server in that scene: the marks of the readers, and each message's `sender`, whose connection a
//! `meter` counts, in `time` that runs faster. `figures` works out what came of it, `table` and `plot` show it.

mod figures;
mod flags;
mod meter;
mod play;
mod plot;
mod readers;
mod scene;
mod sender;
mod strategy;
mod table;
mod time;

use std::{path::Path, process::ExitCode, sync::Arc, time::Duration};

use tokio::{
    task::JoinSet,
    time::{Instant, interval},
};

pub(super) use self::flags::Args;
use self::{
    figures::Figures,
    play::{Play, Played},
    scene::Scene,
    strategy::Strategy,
    time::Time,
};
use super::{
    EXIT_USAGE, complain,
    measure::{Bar, MeasureError, disk::Folder, report},
};
use crate::process::shutdown;

/// What the strategies came to in one group.
#[derive(Debug)]
struct Block {
    scene: Arc<Scene>,
    strategies: Vec<Figures>,
}

/// How long, in real time, everybody has to get ready.
const LEAD: Duration = Duration::from_millis(100);
/// How often the bar moves.
const BAR_EVERY: Duration = Duration::from_millis(200);

/// Simulates, prints, and writes the files.
pub(super) fn run(args: &Args) -> ExitCode {
    match simulate(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&error);
            ExitCode::from(if matches!(error, MeasureError::Usage(_)) { EXIT_USAGE } else { 2 })
        }
    }
}

fn simulate(args: &Args) -> Result<(), MeasureError> {
    if !cfg!(target_os = "linux") {
        return Err(MeasureError::Usage("the simulation reads /proc, which only Linux has".to_owned()));
    }
    let (scenes, strategies) = (args.scenes()?, args.strategies());
    for path in [&args.json, &args.svg].into_iter().flatten() {
        report::try_file(path)?;
    }
    let within = args.within.clone().unwrap_or_else(std::env::temp_dir);
    // Goes after the runtime, which takes the servers with it, however that ends.
    let folder = Folder::make(&within, false)
        .map_err(MeasureError::io(format!("make a directory in {}", within.display())))?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let blocks = runtime.map_err(MeasureError::io("start the runtime"))?.block_on(async {
        let stopped = shutdown::requested().map_err(MeasureError::io("listen for signals"))?;
        tokio::select! {
            blocks = blocks(args, scenes, &strategies, &folder) => blocks,
            () = stopped => Err(MeasureError::Stopped),
        }
    })?;
    let report = table::report(args, &blocks);
    report.print();
    if let Some(path) = &args.json {
        report.write(path)?;
    }
    if let Some(path) = &args.svg {
        plot::write(path, &blocks)?;
    }
    let pushes = blocks.iter().flat_map(|block| &block.strategies);
    let pushed_wrong =
        pushes.filter(|figures| figures.strategy == Strategy::Push.key() && !figures.pushed_as_read());
    match pushed_wrong.count() {
        0 => Ok(()),
        _ => {
            Err(MeasureError::Wrong("the naive push did not push once for each member that read".to_owned()))
        }
    }
}

/// One scene after the other.
async fn blocks(
    args: &Args,
    scenes: Vec<Arc<Scene>>,
    strategies: &[Strategy],
    folder: &Folder,
) -> Result<Vec<Block>, MeasureError> {
    let seconds: u64 = scenes.iter().map(|scene| scene.end().as_secs()).sum();
    let bar = Bar::new("simulated seconds", usize::try_from(seconds).unwrap_or(usize::MAX));
    let mut blocks = Vec::new();
    for scene in scenes {
        let prepared =
            prepared(args, &scene, strategies, &folder.join(&format!("group{}", blocks.len()))).await?;
        let played = together(prepared, &scene, &bar).await?;
        let baseline = played.iter().find(|played| played.strategy == Strategy::Nobody);
        let baseline = baseline.expect("invariant: played with the others");
        let strategies = played.iter().map(|played| Figures::of(&scene, played, baseline)).collect();
        blocks.push(Block { scene, strategies });
    }
    Ok(blocks)
}

/// A server for each strategy, in a directory of its own in `within`, that knows the scene's group and messages.
async fn prepared(
    args: &Args,
    scene: &Arc<Scene>,
    strategies: &[Strategy],
    within: &Path,
) -> Result<Vec<Play>, MeasureError> {
    std::fs::create_dir(within).map_err(MeasureError::io("make a directory"))?;
    let mut plays = Vec::new();
    for strategy in strategies {
        let data = within.join(strategy.key());
        plays.push(Play::prepare(*strategy, scene, data, args.radio_tail).await?);
    }
    Ok(plays)
}

/// All strategies in one scene, at the same time, in their order.
async fn together(plays: Vec<Play>, scene: &Scene, bar: &Bar) -> Result<Vec<Played>, MeasureError> {
    let time = Time::new(Instant::now() + LEAD, scene.factor);
    let mut playing = JoinSet::new();
    for (place, play) in plays.into_iter().enumerate() {
        playing.spawn(async move { play.play(time).await.map(|played| (place, played)) });
    }
    let (mut played, mut passed, mut moving) = (Vec::new(), 0, interval(BAR_EVERY));
    loop {
        tokio::select! {
            done = playing.join_next() => match done {
                Some(done) => played.push(done??),
                None => break,
            },
            _ = moving.tick() => {
                let now = usize::try_from(time.now().min(scene.end()).as_secs()).unwrap_or(usize::MAX);
                bar.add(now - passed);
                passed = now;
            }
        }
    }
    played.sort_unstable_by_key(|(place, _)| *place);
    Ok(played.into_iter().map(|(_, played)| played).collect())
}
