//! The date, for templates that tell it to the model.

use std::format;
use std::string::{String, ToString};
use std::time::{SystemTime, UNIX_EPOCH};

/// Seconds since 1970. A clock before counts as 1970.
pub(super) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs())
}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
/// From the weekday of 1 January 1970.
const DAYS: [&str; 7] =
    ["Thursday", "Friday", "Saturday", "Sunday", "Monday", "Tuesday", "Wednesday"];

/// Bytes of the longest format that is read.
const FORMAT_MAX: usize = 100;

/// A time in seconds since 1970, in UTC, in a format of C's `strftime` with the additions of Linux
/// (`%-d`, `%^b`). As there, a field that is not known stays as it is.
///
/// # Errors
///
/// If the format is too long, or asks for a width.
pub(super) fn strftime(format: &str, seconds: u64) -> Result<String, String> {
    if format.len() > FORMAT_MAX {
        return Err(format!("strftime_now takes at most {FORMAT_MAX} bytes of format"));
    }
    let time = Time::new(seconds);
    let (mut text, mut rest) = (String::new(), format);
    while let Some((before, field)) = rest.split_once('%') {
        text.push_str(before);
        let flags = field.len() - field.trim_start_matches(['-', '_', '0', '^', '#']).len();
        let (flags, name) = field.split_at(flags);
        let name = name.strip_prefix(['E', 'O']).unwrap_or(name);
        let mut chars = name.chars();
        rest = chars.as_str();
        match chars.next() {
            Some(digit) if digit.is_ascii_digit() => {
                return Err(format!("strftime_now knows no widths as in %{digit}"));
            }
            Some(name) => {
                rest = chars.as_str();
                match time.field(name) {
                    Some(field) => text.push_str(&flagged(&field, flags)),
                    None => text.extend(["%", flags, name.encode_utf8(&mut [0; 4])]),
                }
            }
            None => text.extend(["%", flags]),
        }
    }
    Ok(text + rest)
}

/// A field with what the signs before its name ask for.
fn flagged(field: &str, flags: &str) -> String {
    let (mut field, is_number) = (field.to_string(), field.trim_start().parse::<u64>().is_ok());
    for flag in flags.chars() {
        let bare = field.trim_start_matches([' ', '0']);
        let bare = if bare.is_empty() { "0" } else { bare };
        let width = field.len();
        field = match flag {
            '-' if is_number => bare.to_string(),
            '_' if is_number => format!("{bare:>width$}"),
            '0' if is_number => format!("{bare:0>width$}"),
            '^' => field.to_uppercase(),
            '#' if matches!(&*field, "AM" | "PM") => field.to_lowercase(),
            '#' => field.to_uppercase(),
            _ => field,
        };
    }
    field
}

/// A second, by its calendar.
struct Time {
    seconds: u64,
    /// Since 1 January 1970.
    days: u64,
    year: u64,
    month: usize,
    day: u64,
    /// Of the year, from 0.
    year_day: u64,
    /// From Sunday.
    weekday: u64,
}

impl Time {
    fn new(seconds: u64) -> Self {
        let days = seconds / 86_400;
        let (year, month, day) = civil(days);
        let year_day = (1..month).map(|month| month_days(year, month)).sum::<u64>() + day - 1;
        Self { seconds, days, year, month, day, year_day, weekday: (days + 4) % 7 }
    }

    fn field(&self, name: char) -> Option<String> {
        let Self { seconds, year, month, day, year_day, weekday, .. } = *self;
        let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
        let (hour_12, half) = ((hour + 11) % 12 + 1, if hour < 12 { "AM" } else { "PM" });
        let (month_name, day_name) = (MONTHS[month - 1], DAYS[(self.days % 7) as usize]);
        Some(match name {
            'Y' => year.to_string(),
            'C' => format!("{:02}", year / 100),
            'y' => format!("{:02}", year % 100),
            'G' => self.iso_week().0.to_string(),
            'g' => format!("{:02}", self.iso_week().0 % 100),
            'V' => format!("{:02}", self.iso_week().1),
            'U' => format!("{:02}", (year_day + 7 - weekday) / 7),
            'W' => format!("{:02}", (year_day + 7 - (weekday + 6) % 7) / 7),
            'm' => format!("{month:02}"),
            'd' => format!("{day:02}"),
            'e' => format!("{day:2}"),
            'j' => format!("{:03}", year_day + 1),
            'B' => month_name.to_string(),
            'b' | 'h' => month_name[..3].to_string(),
            'A' => day_name.to_string(),
            'a' => day_name[..3].to_string(),
            'w' => weekday.to_string(),
            'u' => ((weekday + 6) % 7 + 1).to_string(),
            'H' => format!("{hour:02}"),
            'k' => format!("{hour:2}"),
            'I' => format!("{hour_12:02}"),
            'l' => format!("{hour_12:2}"),
            'p' => half.to_string(),
            'P' => half.to_lowercase(),
            'M' => format!("{minute:02}"),
            'S' => format!("{second:02}"),
            'f' => "000000".to_string(),
            's' => seconds.to_string(),
            'D' | 'x' => format!("{month:02}/{day:02}/{:02}", year % 100),
            'F' => format!("{year}-{month:02}-{day:02}"),
            'R' => format!("{hour:02}:{minute:02}"),
            'T' | 'X' => format!("{hour:02}:{minute:02}:{second:02}"),
            'r' => format!("{hour_12:02}:{minute:02}:{second:02} {half}"),
            'c' => {
                let (day_name, month_name) = (&day_name[..3], &month_name[..3]);
                let time = format!("{hour:02}:{minute:02}:{second:02}");
                format!("{day_name} {month_name} {day:2} {time} {year}")
            }
            // Python's times without a zone have neither.
            'z' | 'Z' => String::new(),
            'n' => "\n".to_string(),
            't' => "\t".to_string(),
            '%' => "%".to_string(),
            _ => return None,
        })
    }

    /// Year and week by ISO 8601: a week belongs to the year of its Thursday.
    fn iso_week(&self) -> (u64, u64) {
        let thursday = self.days + 3 - (self.weekday + 6) % 7;
        let (year, month, day) = civil(thursday);
        let year_day = (1..month).map(|month| month_days(year, month)).sum::<u64>() + day;
        (year, year_day.div_ceil(7))
    }
}

/// Year, month and day of a number of days since 1 January 1970.
fn civil(mut days: u64) -> (u64, usize, u64) {
    let mut year = 1970;
    // 400 years have the same number of days wherever they start.
    year += days / 146_097 * 400;
    days %= 146_097;
    while days >= 365 + leap(year) {
        days -= 365 + leap(year);
        year += 1;
    }
    let mut month = 1;
    while days >= month_days(year, month) {
        days -= month_days(year, month);
        month += 1;
    }
    (year, month, days + 1)
}

fn leap(year: u64) -> u64 {
    u64::from(year.is_multiple_of(4) && !year.is_multiple_of(100) || year.is_multiple_of(400))
}

fn month_days(year: u64, month: usize) -> u64 {
    match month {
        2 => 28 + leap(year),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_dates() {
        let cases = [
            (0, "Thursday 1970-01-01 00:00:00 12AM"),
            (951_782_400, "Tuesday 2000-02-29 00:00:00 12AM"),
            (1_709_251_199, "Thursday 2024-02-29 23:59:59 11PM"),
            (4_107_542_400, "Monday 2100-03-01 00:00:00 12AM"),
            (13_574_563_200, "Tuesday 2400-02-29 00:00:00 12AM"),
        ];
        for (seconds, expected) in cases {
            assert_eq!(strftime("%A %F %T %I%p", seconds).unwrap(), expected);
        }
        assert_eq!(
            strftime("%d %b %Y, %e%% %y%m%a", 951_782_400).unwrap(),
            "29 Feb 2000, 29% 0002Tue"
        );
    }

    /// By `date -u -d @SECONDS +FORMAT` of GNU coreutils under LC_ALL=C.
    #[test]
    fn fields_are_those_of_linux() {
        let seconds = 1_772_874_302;
        let cases = [
            ("%j %U %W %V %G %g %u %w %C", "066 09 09 10 2026 26 6 6 20"),
            ("%-d %_d %-m %e %k %l %-I %-M", "7  7 3  7  9  9 9 5"),
            ("%^b %#p %P %h %D %R %r", "MAR am am Mar 03/07/26 09:05 09:05:02 AM"),
            ("%c|%x|%X|%n|%t|%s", "Sat Mar  7 09:05:02 2026|03/07/26|09:05:02|\n|\t|1772874302"),
        ];
        for (format, expected) in cases {
            assert_eq!(strftime(format, seconds).unwrap(), expected, "{format}");
        }
        assert_eq!(strftime("%Q% %-", 0).unwrap(), "%Q% %-");
        assert_eq!(strftime("%G-%V", 1_609_459_200).unwrap(), "2020-53");
        assert_eq!(strftime("%G-%V", 1_230_768_000).unwrap(), "2009-01");
    }

    #[test]
    fn hostile_formats_are_refused() {
        let reason = |format| strftime(format, 0).unwrap_err();
        assert!(reason("%1000000000d").contains("%1"));
        assert!(reason(&"%Y".repeat(51)).contains("100 bytes"));
    }
}
