//! Whether a provider's limit is used to the full and not crossed.

use super::Bar;
use super::import::{ACCOUNT, Imported};
use super::processes::Pair;
use super::visitor::Visitor;

/// What the provider lets through in each ten seconds.
const RATE: u32 = 100;
const CONTACTS: u32 = 40_000;

pub async fn measure() -> Vec<Bar> {
    let pair = Pair::new(CONTACTS, Some(RATE));
    let served = pair.serve(&[("LOG", "warn,tributary::client=debug")]);
    let cpu = served.process.cpu();
    let mut visitor = Visitor::of(&served);
    let import = visitor.connect(ACCOUNT).await;
    let told = visitor.imported(&import).await;
    let imported = Imported::read(&told, &served, cpu);
    let refused = served.log().matches("failure.kind=Limited").count();
    let least = imported.calls / f64::from(RATE) * 10.0;
    println!(
        "{RATE} calls per 10 s: {} calls in {:.1} s, {refused} of them refused",
        imported.calls, imported.seconds,
    );
    vec![
        Bar::at_most(
            "seconds, to calls ÷ rate",
            1.05,
            imported.seconds / least,
            "",
        ),
        Bar::at_most("refused calls", 0.0, refused as f64, ""),
    ]
}
