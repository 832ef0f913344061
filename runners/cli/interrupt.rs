//! Ctrl-C and termination: never between the beginning and the end of a file.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use engine::{Error, ErrorKind, Result};

/// The exit code of a program that was interrupted.
pub(crate) const EXIT_CODE: u8 = 130;

/// Held while files are written that would otherwise be left half done.
static WRITING: Mutex<()> = Mutex::new(());
/// Whether somebody wants the program to end.
static ASKED: AtomicBool = AtomicBool::new(false);
/// Whether the command looks at `ASKED` by itself.
static LOOKS: AtomicBool = AtomicBool::new(false);

/// What is removed when the program is interrupted.
static TEMPORARY: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// Takes over what happens on Ctrl-C.
pub(crate) fn install() {
    // Without a handler the system's own way of ending remains: no reason to refuse to run.
    let _ = ctrlc::set_handler(|| {
        let is_first = !ASKED.swap(true, Ordering::SeqCst);
        if LOOKS.load(Ordering::SeqCst) && is_first {
            return;
        }
        let _writing = WRITING.lock().unwrap_or_else(PoisonError::into_inner);
        let temporary = TEMPORARY.lock().unwrap_or_else(PoisonError::into_inner);
        temporary.iter().for_each(|path| drop(std::fs::remove_dir_all(path)));
        let _ = writeln!(std::io::stderr(), "interrupted");
        std::process::exit(i32::from(EXIT_CODE));
    });
}

/// The program does not end while this is held.
pub(crate) fn writing() -> MutexGuard<'static, ()> {
    WRITING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// From now on an interrupt removes this directory, which the program would remove at its end.
pub(crate) fn remove_at_exit(directory: &Path) {
    let mut temporary = TEMPORARY.lock().unwrap_or_else(PoisonError::into_inner);
    temporary.push(directory.to_owned());
}

/// From now on the command calls [`check`] often; until then an interrupt ends it at once.
pub(crate) fn look_often(looks: bool) {
    LOOKS.store(looks, Ordering::SeqCst);
}

/// Whether somebody wants the program to end.
pub(crate) fn is_asked() -> bool {
    ASKED.load(Ordering::SeqCst)
}

/// Fails when somebody wants the program to end.
pub(crate) fn check() -> Result<()> {
    if is_asked() { Err(Error::new(ErrorKind::Io, "interrupted")) } else { Ok(()) }
}
