//! The screen: views are drawn as they come, keys change what is looked at. Whatever happens, the terminal is given back as it was.

use std::io;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::source::Source;
use crate::views::top::TopView;
use crate::views::top::draw::{Look, Pane, draw, n_rows};

/// A key is answered within this time, and a view that has been read is drawn.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// How far a page key goes.
const PAGE_ROWS: usize = 10;

/// A reading, or what was wrong with it.
type News = Result<TopView>;

/// Shows views until the user has seen enough.
pub(super) fn show(first: TopView, source: Source, every: Duration) -> Result<()> {
    let (news, incoming) = mpsc::channel();
    let (stop, stopped) = mpsc::channel::<()>();
    thread::spawn(move || read_on(source, every, &news, &stopped));
    let shown = with_screen(ratatui::try_init, ratatui::restore, |terminal| {
        follow(terminal, first, &incoming)
    });
    // The reader ends when it next looks; nobody waits for it.
    drop(stop);
    shown
}

/// Takes the screen for the time of `work`, and gives it back however that ends.
fn with_screen<S, T>(
    take: impl FnOnce() -> io::Result<S>,
    give_back: fn(),
    work: impl FnOnce(&mut S) -> Result<T>,
) -> Result<T> {
    struct GiveBack(fn());
    impl Drop for GiveBack {
        fn drop(&mut self) {
            (self.0)();
        }
    }
    // Taking it may fail half-way too.
    let _give_back = GiveBack(give_back);
    let mut screen = take().context("cannot draw on this terminal")?;
    work(&mut screen)
}

/// Reads again and again, at most half of the time.
fn read_on(mut source: Source, every: Duration, news: &Sender<News>, stopped: &mpsc::Receiver<()>) {
    let mut pause = every;
    loop {
        match stopped.recv_timeout(pause) {
            Err(RecvTimeoutError::Timeout) => {}
            Ok(()) | Err(RecvTimeoutError::Disconnected) => return,
        }
        let began = Instant::now();
        let reading = source.read();
        pause = every.max(began.elapsed());
        if news.send(reading).is_err() {
            return;
        }
    }
}

fn follow(
    terminal: &mut DefaultTerminal,
    first: TopView,
    incoming: &mpsc::Receiver<News>,
) -> Result<()> {
    let mut view = first;
    let mut look = Look::default();
    loop {
        terminal
            .draw(|frame| draw(&view, &look, frame.area(), frame.buffer_mut()))
            .context("cannot draw on this terminal")?;
        let is_input = event::poll(LOOK_EVERY).context("cannot read keys")?;
        if is_input
            && let Event::Key(key) = event::read().context("cannot read keys")?
            && pressed(key, &mut look) == Wish::Quit
        {
            return Ok(());
        }
        let last_row = n_rows(&view, look.pane).saturating_sub(1);
        look.scroll = look.scroll.min(last_row);
        for news in incoming.try_iter() {
            match news {
                Ok(newer) => {
                    view = newer;
                    look.trouble = None;
                }
                // What was read before stays; its time is on the screen.
                Err(error) => look.trouble = Some(format!("cannot read: {error:#}")),
            }
        }
    }
}

/// What a key asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wish {
    /// To go on.
    Stay,
    /// To end.
    Quit,
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "a keyboard has more keys than have a meaning here"
)]
fn pressed(key: KeyEvent, look: &mut Look) -> Wish {
    if key.kind == KeyEventKind::Release {
        return Wish::Stay;
    }
    let is_control = key.modifiers.contains(KeyModifiers::CONTROL);
    let turn = |look: &mut Look, pane| *look = Look { pane, scroll: 0, ..look.clone() };
    let n_panes = Pane::ALL.len();
    match key.code {
        KeyCode::Char('c') if is_control => return Wish::Quit,
        KeyCode::Esc if look.is_help => look.is_help = false,
        KeyCode::Char('q') | KeyCode::Esc => return Wish::Quit,
        KeyCode::Char('?') => look.is_help = !look.is_help,
        KeyCode::Tab | KeyCode::Right | KeyCode::Char('l') => turn(look, look.pane.turned(1)),
        KeyCode::BackTab | KeyCode::Left | KeyCode::Char('h') => {
            turn(look, look.pane.turned(n_panes - 1));
        }
        KeyCode::Char(digit @ '1'..='5') => {
            let n = digit.to_digit(10).and_then(|n| usize::try_from(n).ok()).unwrap_or(1);
            turn(look, Pane::default().turned(n - 1));
        }
        KeyCode::Down | KeyCode::Char('j') => look.scroll = look.scroll.saturating_add(1),
        KeyCode::Up | KeyCode::Char('k') => look.scroll = look.scroll.saturating_sub(1),
        KeyCode::PageDown => look.scroll = look.scroll.saturating_add(PAGE_ROWS),
        KeyCode::PageUp => look.scroll = look.scroll.saturating_sub(PAGE_ROWS),
        KeyCode::Home => look.scroll = 0,
        _ => {}
    }
    Wish::Stay
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    fn key(code: KeyCode) -> KeyEvent {
        KeyEvent::new(code, KeyModifiers::NONE)
    }

    fn after(keys: &[KeyCode]) -> (Look, Wish) {
        let mut look = Look::default();
        let wish = keys.iter().map(|code| pressed(key(*code), &mut look)).last();
        (look, wish.unwrap_or(Wish::Stay))
    }

    #[test]
    fn q_escape_and_control_c_end_it() {
        assert_eq!(after(&[KeyCode::Char('q')]).1, Wish::Quit);
        assert_eq!(after(&[KeyCode::Esc]).1, Wish::Quit);
        let control_c = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
        assert_eq!(pressed(control_c, &mut Look::default()), Wish::Quit);
        assert_eq!(after(&[KeyCode::Char('c')]).1, Wish::Stay);
    }

    #[test]
    fn tab_and_arrows_go_around_the_panes_and_begin_each_at_its_top() {
        assert_eq!(after(&[KeyCode::Tab]).0.pane, Pane::Waiting);
        assert_eq!(after(&[KeyCode::Left]).0.pane, Pane::Events);
        assert_eq!(after(&[KeyCode::Left, KeyCode::Right]).0.pane, Pane::Queues);
        assert_eq!(after(&[KeyCode::Char('4')]).0.pane, Pane::Hosts);
        let (look, _) = after(&[KeyCode::Down, KeyCode::PageDown]);
        assert_eq!(look.scroll, 11);
        assert_eq!(after(&[KeyCode::Down, KeyCode::Tab]).0.scroll, 0);
    }

    #[test]
    fn help_comes_and_goes_and_escape_closes_it_first() {
        assert!(after(&[KeyCode::Char('?')]).0.is_help);
        assert!(!after(&[KeyCode::Char('?'), KeyCode::Char('?')]).0.is_help);
        let (look, wish) = after(&[KeyCode::Char('?'), KeyCode::Esc]);
        assert_eq!((look.is_help, wish), (false, Wish::Stay));
    }

    #[test]
    fn the_terminal_is_given_back_after_an_error_and_after_a_panic() {
        static GIVEN_BACK: AtomicU32 = AtomicU32::new(0);
        let give_back = || {
            GIVEN_BACK.fetch_add(1, Ordering::Relaxed);
        };

        let failed: Result<()> =
            with_screen(|| Ok(()), give_back, |()| Err(anyhow::anyhow!("cannot draw")));
        assert!(failed.is_err());
        assert_eq!(GIVEN_BACK.load(Ordering::Relaxed), 1);
        let panics = || with_screen(|| Ok(()), give_back, |()| -> Result<()> { panic!("a bug") });
        assert!(catch_unwind(AssertUnwindSafe(panics)).is_err());
        assert_eq!(GIVEN_BACK.load(Ordering::Relaxed), 2);
        let not_taken: Result<()> =
            with_screen(|| Err::<(), _>(io::Error::other("no tty")), give_back, |()| Ok(()));
        assert!(not_taken.is_err());
        assert_eq!(GIVEN_BACK.load(Ordering::Relaxed), 3);
    }
}
