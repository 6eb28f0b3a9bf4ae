use super::contact_data::{Contact, Stamps};

/// Longer than any column, card or log line is made for.
const LONG: usize = 5_000;

/// Gives the small account the contacts that integrations trip over. They stand between ordinary
/// ones, on the first pages, where they are met soon.
pub fn dress(index: u32, contact: &mut Contact) {
    match index {
        1 => only(contact, "firstname"),
        3 => only(contact, "email"),
        5 => nothing(contact),
        7 => name(contact, "ليلى", "الحسن"),
        8 => name(contact, "יעל", "בן־דוד"),
        10 => name(contact, "小明", "王"),
        12 => name(contact, "👩🏽‍🚀 Ada", "🌻"),
        // Written with combining marks, where the usual spelling has one letter each.
        14 => name(contact, "Zoe\u{308}", "A\u{30a}ngstro\u{308}m"),
        15 => name(
            contact,
            "Z\u{334}\u{321}a\u{337}\u{30d}l\u{335}\u{34b}g\u{334}\u{35d}o",
            "Deep",
        ),
        17 => name(contact, "Ti\u{7}na\u{1b}[31m", "Line\nBreak\tTab"),
        19 => name(contact, "  Ola ", " Norén\u{a0} "),
        20 => name(contact, "   ", "\t"),
        21 => name(contact, &long_name(), "Long"),
        23 => name(contact, "<script>alert(1)</script>", "Marker"),
        24 => name(contact, "\"><img src=x onerror=alert(1)>", "Image"),
        25 => name(contact, "=HYPERLINK(\"http://example.test\")", "@Sum"),
        26 => nameless(contact),
        27 => name(contact, "", ""),
        28 => contact.stamps = Stamps::WithoutFraction,
        29 => contact.stamps = Stamps::WithOffset,
        // Turns the reading order round and does not turn it back.
        30 => name(contact, "Rolf \u{202e}evol", "Over\u{200b}ride"),
        _ => {}
    }
}

fn name(contact: &mut Contact, first: &str, last: &str) {
    contact.set("firstname", Some(first));
    contact.set("lastname", Some(last));
}

/// Leaves one property of the person standing.
fn only(contact: &mut Contact, property: &str) {
    for (name, value) in &mut contact.fields {
        if *name != property {
            *value = None;
        }
    }
}

fn nothing(contact: &mut Contact) {
    only(contact, "");
}

/// The other way to have no name: the properties are not there at all.
fn nameless(contact: &mut Contact) {
    contact.leave_out("firstname");
    contact.leave_out("lastname");
}

fn long_name() -> String {
    "Wolfeschlegelsteinhausenbergerdorff-"
        .chars()
        .cycle()
        .take(LONG)
        .collect()
}
