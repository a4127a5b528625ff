//! How full disks are, told before it hurts.

use std::fmt;
use std::path::PathBuf;

/// Free bytes below which nothing is recorded (see the recorder's own limit).
pub const NOTHING_RECORDED_BELOW: u64 = 64 << 20;
/// A disk is fine again when it has so many hundredths of the warning's limit free: no news each
/// time when it goes to and fro.
const FINE_AGAIN_PERCENT: u64 = 110;

/// From when on a disk is reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Percent of the disk that are free ...
    pub percent: u8,
    /// ... but on a large disk no more than so many bytes.
    pub bytes: u64,
}

impl Limits {
    /// Free bytes below which a disk of this size is reported: always before nothing is recorded.
    #[must_use]
    pub fn below(self, total: u64) -> u64 {
        let share = u64::try_from(u128::from(total) * u128::from(self.percent) / 100);
        share.unwrap_or(u64::MAX).min(self.bytes).max(2 * NOTHING_RECORDED_BELOW)
    }
}

/// How full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Level {
    /// There is room.
    #[default]
    Fine,
    /// Soon there is none.
    Low,
    /// Nothing is recorded, so that the rest goes on.
    Full,
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Fine => "fine",
            Self::Low => "low",
            Self::Full => "full",
        })
    }
}

/// A disk changed its level.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiskEvent {
    /// A folder of ours on it.
    pub folder: PathBuf,
    /// Bytes free for us.
    pub free: u64,
    /// What it is now.
    pub level: Level,
}

/// One disk, as it was seen last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disk {
    /// A folder of ours on it.
    pub folder: PathBuf,
    /// Bytes free for us, and of all.
    pub free: u64,
    /// See there.
    pub total: u64,
    /// How full.
    pub level: Level,
}

impl Disk {
    /// A disk that nobody has looked at.
    #[must_use]
    pub fn new(folder: PathBuf) -> Self {
        Self { folder, free: 0, total: 0, level: Level::Fine }
    }

    /// Takes what it has now. Tells when the level is another one.
    pub fn look(&mut self, free: u64, total: u64, limits: Limits) -> Option<DiskEvent> {
        (self.free, self.total) = (free, total);
        let low = limits.below(total);
        let again = low / 100 * FINE_AGAIN_PERCENT;
        let level = match self.level {
            _ if free < NOTHING_RECORDED_BELOW => Level::Full,
            _ if free < low => Level::Low,
            Level::Low | Level::Full if free < again => Level::Low,
            _ => Level::Fine,
        };
        if std::mem::replace(&mut self.level, level) == level {
            return None;
        }
        Some(DiskEvent { folder: self.folder.clone(), free, level })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;
    const LIMITS: Limits = Limits { percent: 10, bytes: 10_240 * MIB };

    #[test]
    fn a_disk_is_reported_before_nothing_is_recorded_whatever_its_size() {
        assert_eq!(LIMITS.below(8_000 * MIB), 800 * MIB);
        assert_eq!(LIMITS.below(4_000_000 * MIB), 10_240 * MIB);
        assert_eq!(LIMITS.below(100 * MIB), 128 * MIB);
        assert_eq!(Limits { percent: 0, bytes: 0 }.below(1 << 40), 128 * MIB);
    }

    #[test]
    fn each_change_is_told_once_and_to_and_fro_is_none() {
        let mut disk = Disk::new("/d".into());
        let mut levels = Vec::new();
        for free in [900, 799, 700, 810, 790, 810, 63, 10, 70, 879, 881, 900, 20] {
            let event = disk.look(free * MIB, 8_000 * MIB, LIMITS);
            levels.extend(event.map(|event| (event.free / MIB, event.level)));
        }
        let expected = [
            (799, Level::Low),
            (63, Level::Full),
            (70, Level::Low),
            (881, Level::Fine),
            (20, Level::Full),
        ];
        assert_eq!(levels, expected);
        assert_eq!((disk.free, disk.total, disk.level), (20 * MIB, 8_000 * MIB, Level::Full));
    }
}
