use super::kind::Kind;
use super::records::{Record, Stamps};

/// Longer than any column, card or log line is made for.
const LONG: usize = 5_000;

/// Gives the small account the records that integrations trip over. They stand between ordinary
/// ones, on the first pages, where they are met soon.
pub fn dress(kind: Kind, index: u32, record: &mut Record) {
    match kind {
        Kind::Contact => contact(index, record),
        Kind::Company => company(index, record),
        Kind::Deal => deal(index, record),
    }
}

fn contact(index: u32, contact: &mut Record) {
    match index {
        1 => contact.keep_only("firstname"),
        3 => contact.keep_only("email"),
        5 => contact.keep_only(""),
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

fn company(index: u32, company: &mut Record) {
    match index {
        1 => company.set("domain", None),
        2 => company.keep_only("domain"),
        4 => company.keep_only(""),
        5 => company.set("name", Some("日本橋 🏯 商事")),
        6 => company.set("name", Some("<b>Bold</b> & \"Sons\"")),
        7 => company.set("name", Some("\u{a0} Blank \t Edges  ")),
        8 => company.set("name", Some(&long_name())),
        9 => company.leave_out("name"),
        10 => company.stamps = Stamps::WithoutFraction,
        _ => {}
    }
}

fn deal(index: u32, deal: &mut Record) {
    match index {
        // Amounts are text: a double makes something else of each of them.
        1 => deal.set("amount", Some("1e21")),
        2 => deal.set("amount", Some("0.10")),
        3 => deal.set("amount", Some("99999999999999.99")),
        4 => deal.set("amount", Some("")),
        5 => deal.set("dealname", None),
        6 => deal.set("dealname", Some("Renewal — 漢字")),
        7 => deal.set("dealname", Some("<script>alert(2)</script>")),
        8 => deal.keep_only(""),
        9 => deal.stamps = Stamps::WithOffset,
        _ => {}
    }
}

fn name(contact: &mut Record, first: &str, last: &str) {
    contact.set("firstname", Some(first));
    contact.set("lastname", Some(last));
}

/// The other way to have no name: the properties are not there at all.
fn nameless(contact: &mut Record) {
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
