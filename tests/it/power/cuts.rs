//! A recording's power cuts: the moments, the images, and those that are not as they must be.

use std::{
    fmt::Write,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::{
        Mutex,
        mpsc::{Receiver, sync_channel},
    },
    thread,
};

use fastrand::Rng;
use tempfile::TempDir;

use super::{
    AGAIN,
    image::Cut,
    judge::Judge,
    record::Plan,
    replay::{Playback, Step, Syncs, steps},
    run::{Life, Run},
};

/// Lines within which a power cut is close to a change of a name.
const CLOSE_LINES: usize = 12;

/// How often a run is recorded until the trace of it is whole.
const RECORDINGS_MAX: usize = 3;

/// A recording, the moments at which power is cut, and who judges what is left.
pub(super) struct Recorded {
    directory: PathBuf,
    /// What goes when it is dropped.
    temporary: Option<TempDir>,
    run: Run,
    steps: Vec<Vec<Step>>,
    moments: Vec<Moment>,
    judge: Judge,
}

/// When power is cut, and the seed that decides on what is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Moment {
    line: usize,
    seed: u64,
}

/// An image, to be judged.
struct Image {
    moment: Moment,
    directory: TempDir,
    bounds: Vec<(usize, usize)>,
    lost: Vec<String>,
}

/// An image that is not as it must be.
#[derive(Debug)]
pub(super) struct Failure {
    seed: u64,
    what: String,
}

/// Where images are made: in memory, if the machine has such a place.
fn in_memory() -> TempDir {
    let fast = Path::new("/dev/shm");
    if fast.is_dir() { tempfile::tempdir_in(fast).unwrap() } else { tempfile::tempdir().unwrap() }
}

impl Recorded {
    /// Records a run, for so many images. Rarely strace does not show a call that a process was killed in; then what was
    /// left is not what the calls make, and it is recorded anew.
    pub(super) fn record(plan: &Plan, images: usize) -> Self {
        for _ in 1..RECORDINGS_MAX {
            let recorded = Self::record_once(plan, images);
            if catch_unwind(AssertUnwindSafe(|| recorded.play(&[], Syncs::All, &mut |_| ()))).is_ok() {
                return recorded;
            }
            println!("seed {}: the trace lacks a call; recorded anew", plan.seed);
        }
        Self::record_once(plan, images)
    }

    fn record_once(plan: &Plan, images: usize) -> Self {
        let directory = in_memory();
        plan.record(directory.path());
        let mut recorded = Self::read(directory.path(), plan.seed * 1_000_000, images);
        recorded.temporary = Some(directory);
        recorded
    }

    /// Reads a recording, for the images of so many seeds from `first` on.
    pub(super) fn read(directory: &Path, first: u64, images: usize) -> Self {
        let run = Run::read(directory);
        let steps: Vec<_> = run.lives.iter().map(|life| steps(&life.calls)).collect();
        let moments = moments(&run, &steps, first, images);
        let bounds: Vec<_> = moments.iter().map(|moment| run.bounds(moment.line)).collect();
        let judge = Judge::new(&run, &bounds);
        let answers: usize = run.bounds(usize::MAX).iter().map(|(answered, _)| answered).sum();
        println!("seed {}: {} lives, {answers} answers, {images} images", run.seed, run.lives.len());
        Self { directory: directory.to_owned(), temporary: None, run, steps, moments, judge }
    }

    /// Fails if any image is not as it must be.
    pub(super) fn check(self) {
        let failures = self.failures(Syncs::All);
        if failures.is_empty() {
            return;
        }
        let directory = self.temporary.map_or(self.directory, TempDir::keep);
        for failure in failures.iter().take(5) {
            println!("{AGAIN}='{} {}': {}", directory.display(), failure.seed, failure.what);
        }
        panic!("{} of {} images are not as they must be", failures.len(), self.moments.len());
    }

    /// Plays the run back, cuts the power at each moment, and has what is left judged.
    pub(super) fn failures(&self, syncs: Syncs) -> Vec<Failure> {
        let failures = Mutex::new(Vec::new());
        let (sender, receiver) = sync_channel::<Image>(4);
        let receiver = Mutex::new(receiver);
        thread::scope(|scope| {
            for _ in 0..thread::available_parallelism().map_or(2, usize::from) {
                scope.spawn(|| self.judge_all(&receiver, &failures));
            }
            self.play(&self.moments, syncs, &mut |image| sender.send(image).unwrap());
            drop(sender);
        });
        let mut failures = failures.into_inner().unwrap();
        failures.sort_by_key(|failure: &Failure| failure.seed);
        failures
    }

    /// Does the run's calls, with an image at each of these moments.
    fn play(&self, moments: &[Moment], syncs: Syncs, each: &mut dyn FnMut(Image)) {
        let mut moments = moments.iter().peekable();
        let mut playback = Playback::new(&self.run.work, syncs);
        for (life, steps) in self.run.lives.iter().zip(&self.steps) {
            for step in steps {
                while let Some(moment) = moments.next_if(|moment| moment.line < step.line) {
                    each(self.image(&playback, *moment));
                }
                playback.step(*step, &life.calls[step.call]);
            }
            let died_in: Vec<_> = life.calls.iter().filter(|call| call.ended.is_none()).collect();
            playback.end(&died_in, &life.left, life.end);
        }
        moments.for_each(|moment| each(self.image(&playback, *moment)));
    }

    fn image(&self, playback: &Playback, moment: Moment) -> Image {
        let mut rng = Rng::with_seed(!moment.seed);
        let directory = in_memory();
        let mut cut = Cut::new(&playback.disk, &mut rng);
        cut.write(&playback.disk, &directory.path().join("work"));
        let lost = cut.lost;
        Image { moment, directory, bounds: self.run.bounds(moment.line), lost }
    }

    fn judge_all(&self, images: &Mutex<Receiver<Image>>, failures: &Mutex<Vec<Failure>>) {
        loop {
            let next = images.lock().unwrap().recv();
            let Ok(Image { moment, directory, bounds, lost }) = next else { return };
            if let Err(what) = self.judge.check(&directory.path().join("work/data"), &bounds) {
                let what = format!("{what}\n  line {}, lost:{}", moment.line + 1, told(&lost));
                failures.lock().unwrap().push(Failure { seed: moment.seed, what });
            }
        }
    }
}

/// The moments for so many seeds: a third anywhere, a third close to where a name changes, a third in a start.
fn moments(run: &Run, steps: &[Vec<Step>], first: u64, images: usize) -> Vec<Moment> {
    let (mut all, mut close, mut starts) = (Vec::new(), Vec::new(), Vec::new());
    for (life, steps) in run.lives.iter().zip(steps) {
        let ready = ready(life);
        for step in steps {
            let call = &life.calls[step.call];
            let name = call.name.as_str();
            let is_name = ["rename", "mkdir", "unlink", "unlinkat", "rmdir"].contains(&name);
            if is_name {
                close.extend(step.line..step.line + CLOSE_LINES);
            }
            let changes =
                ["write", "pwrite64", "ftruncate", "fallocate", "copy_file_range", "fsync", "fdatasync"];
            if is_name || changes.contains(&name) && Path::new(&call.target()).starts_with(&run.work) {
                all.push(step.line);
                starts.extend((step.line < ready).then_some(step.line));
            }
        }
    }
    let moment = |seed| {
        let mut rng = Rng::with_seed(seed);
        let lines = [&all, &close, &starts][rng.usize(..3)];
        Moment { line: lines[rng.usize(..lines.len())], seed }
    };
    let mut moments: Vec<_> = (first..).take(images).map(moment).collect();
    moments.sort_unstable();
    moments
}

/// The line where a server says that it listens.
fn ready(life: &Life) -> usize {
    let says =
        life.calls.iter().find(|call| call.name == "write" && call.bytes().starts_with(b"seenby listening"));
    says.expect("it said so").began
}

/// What was lost, the first and the last of each file or directory.
fn told(lost: &[String]) -> String {
    let mut text = String::new();
    for of_one in lost.chunk_by(|a, b| a.split(':').next() == b.split(':').next()) {
        let (first, last) = of_one.split_at(of_one.len().min(4));
        first.iter().for_each(|line| write!(text, "\n    {line}").unwrap());
        if let Some(line) = last.last() {
            write!(text, "\n    … {} more …\n    {line}", last.len() - 1).unwrap();
        }
    }
    text
}
