//! A terminal that is drawn on in place, and given back as it was: its screen, its cursor, and how it takes keys.

use std::{
    io::{self, IsTerminal, Read, Write},
    thread,
};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

/// A screen of its own, and no cursor on it.
const ENTER: &[u8] = b"\x1b[?1049h\x1b[?25l";
const LEAVE: &[u8] = b"\x1b[?25h\x1b[?1049l";

const HOME: &str = "\x1b[H";
/// What is left of a line, and below the last one.
const REST_OF_LINE: &str = "\x1b[K";
const BELOW: &str = "\x1b[J";

/// A terminal, until it is dropped.
pub(super) struct Terminal {
    /// How it took keys before; none where keys come from elsewhere.
    before: Option<Termios>,
    keys: UnboundedReceiver<u8>,
}

impl Terminal {
    /// Takes it over; none if standard output is not one.
    pub(super) fn open() -> io::Result<Option<Self>> {
        if !io::stdout().is_terminal() {
            return Ok(None);
        }
        let (pressed, keys) = unbounded_channel();
        let before = if io::stdin().is_terminal() { Some(tcgetattr(io::stdin())?) } else { None };
        let terminal = Self { before, keys };
        if let Some(before) = &terminal.before {
            let mut keys_at_once = before.clone();
            // Ctrl-C stays a signal.
            keys_at_once.local_modes.remove(LocalModes::ICANON | LocalModes::ECHO);
            tcsetattr(io::stdin(), OptionalActions::Now, &keys_at_once)?;
            // It waits for a key for as long as the process lives.
            thread::spawn(move || {
                for key in io::stdin().lock().bytes() {
                    let Ok(key) = key else { return };
                    if pressed.send(key).is_err() {
                        return;
                    }
                }
            });
        }
        write(ENTER)?;
        Ok(Some(terminal))
    }

    /// Returns when somebody pressed q.
    pub(super) async fn quit(&mut self) {
        loop {
            match self.keys.recv().await {
                Some(b'q' | b'Q') => return,
                Some(_) => {}
                // No keys come from here any more.
                None => std::future::pending().await,
            }
        }
    }

    /// Draws these rows over those of before, each as far as there is room.
    #[expect(clippy::unused_self, reason = "only who has taken it over may draw on it")]
    pub(super) fn draw(&self, rows: &[String]) -> io::Result<()> {
        let size = tcgetwinsize(io::stdout()).ok().filter(|size| size.ws_col > 0 && size.ws_row > 0);
        let (columns, lines) =
            size.map_or((usize::MAX, usize::MAX), |size| (size.ws_col.into(), size.ws_row.into()));
        let mut text = HOME.to_owned();
        for (at, row) in rows.iter().take(lines).enumerate() {
            if at > 0 {
                text.push_str("\r\n");
            }
            text.extend(row.chars().take(columns));
            text.push_str(REST_OF_LINE);
        }
        text.push_str(BELOW);
        write(text.as_bytes())
    }
}

fn write(bytes: &[u8]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(bytes)?;
    out.flush()
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // A terminal that is gone needs nothing.
        let _ = write(LEAVE);
        if let Some(before) = &self.before {
            let _ = tcsetattr(io::stdin(), OptionalActions::Now, before);
        }
    }
}
