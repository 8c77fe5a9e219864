//! Today's date, for templates that tell it to the model.

use std::format;
use std::string::{String, ToString};
use std::time::{SystemTime, UNIX_EPOCH};

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

/// The time now, in UTC, in a format of `strftime`.
///
/// A clock before 1970 counts as 1970.
///
/// # Errors
///
/// If the format is too long or has a field that is not known here.
pub(super) fn now(format: &str) -> Result<String, String> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    strftime(format, since.map_or(0, |time| time.as_secs()))
}

fn strftime(format: &str, seconds: u64) -> Result<String, String> {
    if format.len() > FORMAT_MAX {
        return Err(format!("strftime_now takes at most {FORMAT_MAX} bytes of format"));
    }
    let mut text = String::new();
    let mut chars = format.chars();
    while let Some(c) = chars.next() {
        match c {
            '%' => text.push_str(&field(chars.next(), seconds)?),
            c => text.push(c),
        }
    }
    Ok(text)
}

fn field(field: Option<char>, seconds: u64) -> Result<String, String> {
    let days = seconds / 86_400;
    let (year, month, day) = civil(days);
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    let (month_name, day_name) = (MONTHS[month - 1], DAYS[(days % 7) as usize]);
    Ok(match field {
        Some('Y') => year.to_string(),
        Some('y') => format!("{:02}", year % 100),
        Some('m') => format!("{month:02}"),
        Some('d') => format!("{day:02}"),
        Some('e') => format!("{day:2}"),
        Some('B') => month_name.to_string(),
        Some('b') => month_name[..3].to_string(),
        Some('A') => day_name.to_string(),
        Some('a') => day_name[..3].to_string(),
        Some('H') => format!("{hour:02}"),
        Some('I') => format!("{:02}", (hour + 11) % 12 + 1),
        Some('p') => if hour < 12 { "AM" } else { "PM" }.to_string(),
        Some('M') => format!("{minute:02}"),
        Some('S') => format!("{second:02}"),
        Some('F') => format!("{year}-{month:02}-{day:02}"),
        Some('T') => format!("{hour:02}:{minute:02}:{second:02}"),
        Some('%') => "%".to_string(),
        Some(other) => return Err(format!("strftime_now does not know %{other}")),
        None => return Err("strftime_now's format ends inside a field".to_string()),
    })
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

    #[test]
    fn hostile_formats_are_refused() {
        assert!(strftime("%1000000000d", 0).unwrap_err().contains("%1"));
        assert!(strftime("%", 0).unwrap_err().contains("ends inside"));
        assert!(strftime(&"%Y".repeat(51), 0).unwrap_err().contains("100 bytes"));
    }
}
