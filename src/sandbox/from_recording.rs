//! Content from recorded answers (`updaters.recording` writes them), each as it was given.
//!
//! The file is gzip'ed JSON lines: a header, a line for each meeting (its row of the list, null where it
//! was not listed, and its detail or how that failed), a line for each committee, and an end mark that counts and sums what is before it.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind, Read};
use std::path::Path;

use axum::body::Bytes;
use flate2::Crc;
use flate2::bufread::GzDecoder;
use serde_json::Value;

use super::SandboxError;
use super::asked::Route;
use super::world::{Committee, Entry, Place, seconds};
use crate::domain::{Chamber, parse_committee};

const FORMAT: &str = "hearing-updater recording";
const VERSION: u64 = 1;
/// How a gzip'ed file begins.
const GZIP: &[u8] = &[0x1f, 0x8b];
/// No answer is larger than a few of what the client takes.
const LONGEST_LINE: u64 = 64 * 1024 * 1024;
const DAY: i64 = 86_400;
/// So far from whole days before now, and a moment still means those days: the clock of daylight saving
/// moves it by an hour, and a run takes some time until it asks.
const LEEWAY: i64 = 90 * 60;

const FOREIGN: &str = "this is no recording: make one with hearing-updater record --to FILE";
const CUT: &str = "the recording is cut short: record it again";

/// What a file holds.
pub struct Recording {
    pub congress: i64,
    /// As far as they could be read.
    pub committees: Vec<Committee>,
    pub entries: Vec<Entry>,
    pub replayed: Replayed,
}

/// What a committee's endpoint answered.
#[derive(Debug, PartialEq, Eq)]
pub enum Recorded {
    Answer(Bytes),
    Failed(u16, String),
    /// It was found under another chamber.
    Elsewhere,
}

static ELSEWHERE: Recorded = Recorded::Elsewhere;

/// What a replay knows besides the meetings.
pub struct Replayed {
    /// Seconds since 1970.
    recorded_at: i64,
    /// By code, then chamber.
    committees: HashMap<String, HashMap<String, Recorded>>,
}

impl Replayed {
    /// `None` where nobody asked for it when it was recorded.
    pub fn committee(&self, chamber: &str, code: &str) -> Option<&Recorded> {
        let places = self.committees.get(&code.to_ascii_lowercase())?;
        Some(places.get(chamber).unwrap_or(&ELSEWHERE))
    }

    /// What a moment meant when this was recorded. Time stands still: so many days before now are as
    /// many before the recording, to the second, however long ago that was. Any other moment of the
    /// recording's past is meant as it stands, as that of the last successful run.
    pub fn meant(&self, asked: i64, now: i64) -> i64 {
        let back = now - asked;
        let days = (back + DAY / 2).div_euclid(DAY) * DAY;
        if (back - days).abs() <= LEEWAY {
            self.recorded_at - days
        } else if asked <= self.recorded_at {
            asked
        } else {
            self.recorded_at - back
        }
    }
}

/// Reads a whole file, or says in a line what is wrong with it.
pub fn read(path: &Path) -> Result<Recording, SandboxError> {
    load(path).map_err(|problem| SandboxError::Recording {
        path: path.display().to_string(),
        problem,
    })
}

fn load(path: &Path) -> Result<Recording, String> {
    let file = File::open(path).map_err(|error| unreadable(&error))?;
    let mut packed = BufReader::new(file);
    let beginning = packed.fill_buf().map_err(|error| unreadable(&error))?;
    if !beginning.is_empty() && !beginning.starts_with(GZIP) {
        return Err(FOREIGN.to_owned());
    }
    let mut lines = Lines {
        reader: BufReader::new(GzDecoder::new(packed)),
        number: 0,
        crc: Crc::new(),
        text: Vec::new(),
    };
    let first = match lines.next() {
        Ok(line) => line,
        Err(Trouble::Broken) => return Err(FOREIGN.to_owned()),
        Err(trouble) => return Err(lines.told(trouble)),
    };
    let header: Value = serde_json::from_slice(&first).map_err(|_| FOREIGN.to_owned())?;
    let mut recording = begin(&header)?;
    let mut counts = (0_u64, 0_u64);
    loop {
        let crc = lines.crc.sum();
        let line = lines.next().map_err(|trouble| lines.told(trouble))?;
        let number = lines.number;
        let damaged = || damaged(number);
        let line: Value = serde_json::from_slice(&line).map_err(|_| damaged())?;
        if line.get("end").is_some() {
            let whole = line["end"] == number - 1
                && line["crc32"] == format!("{crc:08x}")
                && header["meetings"] == counts.0
                && header["committees"] == counts.1;
            return match lines.next() {
                // The end of the file, and of its own checksum.
                Err(Trouble::End) if whole => Ok(recording),
                Err(Trouble::Cut) => Err(CUT.to_owned()),
                _ => Err(damaged()),
            };
        }
        let path = line.get("path").and_then(Value::as_str);
        let path = format!("/v3/{}", path.unwrap_or_default());
        match Route::of(&path) {
            Route::Meeting {
                congress,
                chamber,
                event_id,
            } => {
                let place = Place {
                    congress: congress.parse().map_err(|_| damaged())?,
                    chamber: chamber.to_owned(),
                    event_id: event_id.to_owned(),
                };
                let row = line.get("row").filter(|row| !row.is_null());
                if row.is_some_and(|row| !row.is_object()) {
                    return Err(damaged());
                }
                let answer = answered(&line).ok_or_else(damaged)?;
                recording.entries.push(Entry::recorded(place, row, answer));
                counts.0 += u64::from(row.is_some());
            }
            Route::Committee { chamber, code } => {
                let answer = answered(&line).ok_or_else(damaged)?;
                counts.1 += u64::from(answer.is_ok());
                recording.take_committee(chamber, code, answer);
            }
            _ => return Err(damaged()),
        }
    }
}

fn damaged(line: u64) -> String {
    format!("the recording is damaged at line {line}: record it again")
}

fn unreadable(error: &std::io::Error) -> String {
    format!("cannot be read: {error}")
}

fn begin(header: &Value) -> Result<Recording, String> {
    if header["format"] != FORMAT {
        return Err(FOREIGN.to_owned());
    }
    match header["version"].as_u64() {
        Some(VERSION) => {}
        Some(version) if version > VERSION => {
            return Err(format!(
                "recorded by a newer version (format {version}, this one reads {VERSION}): update \
                 hearing-updater"
            ));
        }
        _ => return Err(FOREIGN.to_owned()),
    }
    let congress = header["congress"].as_i64();
    let recorded_at = header["recorded_at"].as_str().and_then(seconds);
    let (Some(congress @ 1..=200), Some(recorded_at)) = (congress, recorded_at) else {
        return Err(damaged(1));
    };
    Ok(Recording {
        congress,
        committees: Vec::new(),
        entries: Vec::new(),
        replayed: Replayed {
            recorded_at,
            committees: HashMap::new(),
        },
    })
}

/// The answer of a line, or its status and what was wrong; `None` where it has neither.
fn answered(line: &Value) -> Option<Result<&Value, (u16, String)>> {
    if let Some(answer) = line.get("answer") {
        return answer.is_object().then_some(Ok(answer));
    }
    let status = u16::try_from(line.get("status")?.as_u64()?).ok()?;
    let message = line.get("error").and_then(Value::as_str)?;
    (400..=599)
        .contains(&status)
        .then(|| Err((status, message.to_owned())))
}

impl Recording {
    fn take_committee(&mut self, chamber: &str, code: &str, answer: Result<&Value, (u16, String)>) {
        let code = code.to_ascii_lowercase();
        let recorded = match answer {
            Ok(answer) => {
                if let Ok(parsed) = parse_committee(answer, Chamber::parse(chamber)) {
                    self.committees.push(shown(parsed));
                }
                Recorded::Answer(answer.to_string().into())
            }
            Err((status, message)) => Recorded::Failed(status, message),
        };
        self.replayed
            .committees
            .entry(code)
            .or_default()
            .insert(chamber.to_owned(), recorded);
    }
}

/// A committee for lists, and for new meetings.
fn shown(parsed: crate::domain::Committee) -> Committee {
    Committee {
        chamber: match parsed.system_code.as_bytes().first() {
            Some(b'h') => "House",
            Some(b's') => "Senate",
            _ => "Joint",
        },
        code: parsed.system_code,
        name: parsed.name,
        kind: parsed.committee_type.to_owned(),
        parent: parsed.parent.map(|parent| parent.system_code),
        current: parsed.is_current,
    }
}

/// Why there is no next line.
enum Trouble {
    /// The file's end, where one may be.
    End,
    /// In the middle of a line, or of the packed bytes.
    Cut,
    Broken,
    Io(std::io::Error),
}

struct Lines<R> {
    reader: R,
    /// Of the line read last, or that cannot be, from 1.
    number: u64,
    /// Of all lines read.
    crc: Crc,
    text: Vec<u8>,
}

impl<R: BufRead> Lines<R> {
    /// The next line, without its end.
    fn next(&mut self) -> Result<Vec<u8>, Trouble> {
        self.text.clear();
        self.number += 1;
        let read = (&mut self.reader)
            .take(LONGEST_LINE)
            .read_until(b'\n', &mut self.text);
        match read {
            Ok(0) => Err(Trouble::End),
            Ok(_) => {
                self.crc.update(&self.text);
                if self.text.pop() == Some(b'\n') {
                    Ok(std::mem::take(&mut self.text))
                } else if self.text.len() as u64 + 1 >= LONGEST_LINE {
                    Err(Trouble::Broken)
                } else {
                    Err(Trouble::Cut)
                }
            }
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => Err(Trouble::Cut),
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::InvalidData | ErrorKind::InvalidInput
                ) =>
            {
                Err(Trouble::Broken)
            }
            Err(error) => Err(Trouble::Io(error)),
        }
    }

    fn told(&self, trouble: Trouble) -> String {
        match trouble {
            Trouble::End | Trouble::Cut => CUT.to_owned(),
            Trouble::Broken => damaged(self.number),
            Trouble::Io(error) => unreadable(&error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replayed(recorded_at: &str) -> Replayed {
        Replayed {
            recorded_at: seconds(recorded_at).unwrap(),
            committees: HashMap::new(),
        }
    }

    #[track_caller]
    fn means(asked: &str, now: &str, wanted: &str) {
        let meant =
            replayed("2026-03-10T09:30:17Z").meant(seconds(asked).unwrap(), seconds(now).unwrap());
        assert_eq!(crate::sandbox::world::written(meant, false), wanted);
    }

    #[test]
    fn whole_days_before_now_are_as_many_before_the_recording_to_the_second() {
        let week = "2026-03-03T09:30:17Z";
        means("2026-03-03T09:30:20Z", "2026-03-10T09:30:20Z", week);
        // A run that asks late, one across midnight, one weeks later.
        means("2026-03-03T09:30:20Z", "2026-03-10T09:31:59Z", week);
        means("2026-03-03T23:59:58Z", "2026-03-11T00:00:03Z", week);
        means("2026-11-18T15:00:00Z", "2026-11-25T15:00:01Z", week);
        // The clocks went forward or back in between.
        means("2026-11-18T16:00:00Z", "2026-11-25T15:00:00Z", week);
        means("2026-11-18T14:00:00Z", "2026-11-25T15:00:30Z", week);
        means(
            "2026-11-25T15:00:00Z",
            "2026-11-25T15:00:02Z",
            "2026-03-10T09:30:17Z",
        );
    }

    #[test]
    fn the_time_of_the_last_run_is_meant_as_it_stands() {
        let last = "2026-02-20T02:00:04Z";
        means(last, "2026-03-10T09:45:00Z", last);
        means(last, "2026-03-12T18:00:00Z", last);
    }

    #[test]
    fn what_is_after_the_recording_is_meant_from_now() {
        means(
            "2026-11-24T05:00:00Z",
            "2026-11-25T15:00:00Z",
            "2026-03-08T23:30:17Z",
        );
    }

    #[test]
    fn a_committee_is_where_it_was_found_and_nowhere_else() {
        let mut replayed = replayed("2026-03-10T09:30:17Z");
        let answer = Recorded::Answer("{}".into());
        replayed
            .committees
            .insert("jhje00".into(), HashMap::from([("joint".into(), answer)]));
        assert!(matches!(
            replayed.committee("joint", "JHJE00"),
            Some(Recorded::Answer(_))
        ));
        assert_eq!(
            replayed.committee("house", "jhje00"),
            Some(&Recorded::Elsewhere)
        );
        assert_eq!(replayed.committee("house", "hsii00"), None);
    }
}
