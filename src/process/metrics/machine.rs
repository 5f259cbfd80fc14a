//! What the process takes of the machine, and what the disk of its data has left.
//!
//! Looked at every so often and not at a scrape, since a disk may hang.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::atomic::AtomicU64,
};

use prometheus_client::{
    metrics::{counter::Counter, gauge::Gauge},
    registry::Registry,
};
use rustix::{
    process::{Resource, getrlimit},
    time::{ClockId, clock_gettime},
};

/// What a look found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Machine {
    /// Bytes of the data's file system that the process may still fill; 0 where it has no data of its own.
    pub disk_free_bytes: u64,
    /// Bytes of that file system in all.
    pub disk_bytes: u64,
    /// Bytes of memory that are the process's at present; 0 where the system does not say.
    pub memory_bytes: u64,
    /// Files that the process has open; 0 where the system does not say.
    pub open_files: u64,
}

impl Machine {
    /// Looks. May take as long as the disk of `data` hangs.
    pub fn look(data: Option<&Path>) -> io::Result<Self> {
        let disk = data.map(rustix::fs::statvfs).transpose()?;
        let bytes = |blocks: u64, each: u64| blocks.saturating_mul(each);
        Ok(Self {
            disk_free_bytes: disk.as_ref().map_or(0, |disk| bytes(disk.f_bavail, disk.f_frsize)),
            disk_bytes: disk.as_ref().map_or(0, |disk| bytes(disk.f_blocks, disk.f_frsize)),
            memory_bytes: resident_bytes().unwrap_or_default(),
            open_files: fs::read_dir(own("fd")).map_or(0, |files| files.count() as u64),
        })
    }
}

/// What the system says of this process, where it has `/proc`.
fn own(name: &str) -> PathBuf {
    Path::new("/proc/self").join(name)
}

/// `VmRSS:     12345 kB`
fn resident_bytes() -> Option<u64> {
    let status = fs::read_to_string(own("status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.trim().strip_suffix(" kB")?.parse::<u64>().ok()? * 1024)
}

#[derive(Debug, Default)]
pub(super) struct MachineGauges {
    disk_free_bytes: Gauge<u64, AtomicU64>,
    disk_bytes: Gauge<u64, AtomicU64>,
    memory_bytes: Gauge<u64, AtomicU64>,
    open_files: Gauge<u64, AtomicU64>,
    open_files_max: Gauge<u64, AtomicU64>,
    processor_seconds: Counter<f64, AtomicU64>,
}

impl MachineGauges {
    pub(super) fn register(&self, registry: &mut Registry) {
        let help = "Bytes of the data's file system that the server may still fill";
        registry.register("disk_free_bytes", help, self.disk_free_bytes.clone());
        registry.register("disk_bytes", "Bytes of that file system in all", self.disk_bytes.clone());
        let registry = registry.sub_registry_with_prefix("process");
        let help = "Bytes of memory that are the process's at present";
        registry.register("resident_memory_bytes", help, self.memory_bytes.clone());
        registry.register("open_fds", "Files that the process has open", self.open_files.clone());
        registry.register("max_fds", "Files that it may have open", self.open_files_max.clone());
        let help = "Processor time of all threads";
        registry.register("cpu_seconds", help, self.processor_seconds.clone());
    }

    pub(super) fn set(&self, found: &Machine) {
        self.disk_free_bytes.set(found.disk_free_bytes);
        self.disk_bytes.set(found.disk_bytes);
        self.memory_bytes.set(found.memory_bytes);
        self.open_files.set(found.open_files);
    }

    /// What the system says at once.
    pub(super) fn refresh(&self) {
        self.open_files_max.set(getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX));
        let used = clock_gettime(ClockId::ProcessCPUTime);
        let seconds = std::time::Duration::try_from(used).unwrap_or_default().as_secs_f64();
        self.processor_seconds.inner().store(seconds.to_bits(), std::sync::atomic::Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_has_memory_files_and_a_disk() {
        let found = Machine::look(Some(Path::new("."))).unwrap();
        assert!(found.disk_bytes >= found.disk_free_bytes && found.disk_bytes > 0, "{found:?}");
        assert!(found.memory_bytes > 1 << 20 && found.open_files >= 3, "{found:?}");
        assert!(Machine::look(Some(Path::new("/nowhere"))).is_err());
    }
}
