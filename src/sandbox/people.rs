//! Made-up people: believable names from many places, the same ones for the same number every time.

/// A name as its owner writes it, and as it looks in an address.
type Name = (&'static str, &'static str);

/// First and last names that go together.
struct Place {
    first: [Name; 8],
    last: [Name; 8],
}

/// One made-up person.
pub struct Person {
    pub first: Name,
    pub last: Name,
    /// Name and domain of where they work.
    pub company: (&'static str, &'static str),
    pub job: &'static str,
    pub phone: String,
}

/// The person behind a number.
pub fn person(seed: u64) -> Person {
    let place = pick(&PLACES, mix(seed, 1));
    Person {
        first: *pick(&place.first, mix(seed, 2)),
        last: *pick(&place.last, mix(seed, 3)),
        company: *pick(&COMPANIES, mix(seed, 4)),
        job: pick::<&str>(&JOBS, mix(seed, 5)),
        phone: phone(mix(seed, 6)),
    }
}

/// The company of a number, and its domain; the first of them have the names of `COMPANIES`, the
/// rest are their branches.
pub fn company(number: u32) -> (String, String) {
    let number = number as usize;
    let (name, domain) = COMPANIES[number % COMPANIES.len()];
    match number / COMPANIES.len() {
        0 => (name.to_owned(), domain.to_owned()),
        branch if branch <= CITIES.len() => (
            format!("{name} {}", CITIES[branch - 1]),
            format!("branch{branch}.{domain}"),
        ),
        branch => (
            format!("{name} No. {branch}"),
            format!("branch{branch}.{domain}"),
        ),
    }
}

/// A number that looks random and is the same each time (splitmix64).
pub fn mix(seed: u64, salt: u64) -> u64 {
    let mut z = seed.wrapping_add(salt.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

fn pick<T>(list: &[T], number: u64) -> &T {
    &list[(number % list.len() as u64) as usize]
}

/// Within the numbers that are kept free for fiction.
fn phone(number: u64) -> String {
    format!("+1 555 01{:02}", number % 100)
}

#[rustfmt::skip]
static PLACES: [Place; 14] = [
    Place {
        first: [("Amelia", "amelia"), ("Oliver", "oliver"), ("Grace", "grace"), ("Harvey", "harvey"), ("Isla", "isla"), ("Callum", "callum"), ("Poppy", "poppy"), ("Rhys", "rhys")],
        last: [("Ashworth", "ashworth"), ("O'Connell", "oconnell"), ("Whitfield", "whitfield"), ("MacLeod", "macleod"), ("Bell-Carter", "bell-carter"), ("Pryce", "pryce"), ("Lockwood", "lockwood"), ("Sutton", "sutton")],
    },
    Place {
        first: [("Zoë", "zoe"), ("Jürgen", "juergen"), ("Anneliese", "anneliese"), ("Björn", "bjoern"), ("Käthe", "kaethe"), ("Lukas", "lukas"), ("Sören", "soeren"), ("Heike", "heike")],
        last: [("Müller", "mueller"), ("Groß", "gross"), ("von der Heide", "vonderheide"), ("Schäfer", "schaefer"), ("Köhler", "koehler"), ("Weiß", "weiss"), ("Brandt", "brandt"), ("Jäger", "jaeger")],
    },
    Place {
        first: [("Chloé", "chloe"), ("Étienne", "etienne"), ("Maëlle", "maelle"), ("François", "francois"), ("Inès", "ines"), ("Jean-Luc", "jean-luc"), ("Amélie", "amelie"), ("Théo", "theo")],
        last: [("Lefèvre", "lefevre"), ("Dubois", "dubois"), ("d'Aubigné", "daubigne"), ("Garçon", "garcon"), ("Benoît", "benoit"), ("Moreau", "moreau"), ("Lacroix", "lacroix"), ("Île", "ile")],
    },
    Place {
        first: [("Lucía", "lucia"), ("Íñigo", "inigo"), ("Sofía", "sofia"), ("Andrés", "andres"), ("Ximena", "ximena"), ("Joaquín", "joaquin"), ("Belén", "belen"), ("Tomás", "tomas")],
        last: [("Núñez", "nunez"), ("García Márquez", "garcia"), ("Peña", "pena"), ("Ibáñez", "ibanez"), ("de la Cruz", "delacruz"), ("Quispe", "quispe"), ("Vargas", "vargas"), ("Muñoz", "munoz")],
    },
    Place {
        first: [("João", "joao"), ("Conceição", "conceicao"), ("Thiago", "thiago"), ("Beatriz", "beatriz"), ("Luís", "luis"), ("Iara", "iara"), ("Caetano", "caetano"), ("Mônica", "monica")],
        last: [("Gonçalves", "goncalves"), ("da Silva", "dasilva"), ("Araújo", "araujo"), ("Sampaio", "sampaio"), ("Brandão", "brandao"), ("Teixeira", "teixeira"), ("Fontoura", "fontoura"), ("Magalhães", "magalhaes")],
    },
    Place {
        first: [("Åsa", "asa"), ("Øystein", "oystein"), ("Freja", "freja"), ("Þóra", "thora"), ("Leif", "leif"), ("Sigríður", "sigridur"), ("Mikkel", "mikkel"), ("Aino", "aino")],
        last: [("Lindqvist", "lindqvist"), ("Sørensen", "sorensen"), ("Bjørnstad", "bjornstad"), ("Guðmundsdóttir", "gudmundsdottir"), ("Hämäläinen", "hamalainen"), ("Åkesson", "akesson"), ("Kjær", "kjaer"), ("Nygård", "nygard")],
    },
    Place {
        first: [("Łukasz", "lukasz"), ("Żaneta", "zaneta"), ("Jiří", "jiri"), ("Božena", "bozena"), ("Małgorzata", "malgorzata"), ("Ștefan", "stefan"), ("Šárka", "sarka"), ("Ágnes", "agnes")],
        last: [("Wójcik", "wojcik"), ("Dvořák", "dvorak"), ("Kowalczyk", "kowalczyk"), ("Țurcanu", "turcanu"), ("Szabó", "szabo"), ("Źródlak", "zrodlak"), ("Čapek", "capek"), ("Nowak", "nowak")],
    },
    Place {
        first: [("Олена", "olena"), ("Дмитро", "dmytro"), ("Наталія", "nataliia"), ("Георги", "georgi"), ("Мария", "mariya"), ("Тарас", "taras"), ("Ірина", "iryna"), ("Стоян", "stoyan")],
        last: [("Шевченко", "shevchenko"), ("Коваленко", "kovalenko"), ("Димитров", "dimitrov"), ("Лисенко", "lysenko"), ("Бондар", "bondar"), ("Мельник", "melnyk"), ("Петрова", "petrova"), ("Гончар", "honchar")],
    },
    Place {
        first: [("Ελένη", "eleni"), ("Γιώργος", "giorgos"), ("Δέσποινα", "despina"), ("Νίκος", "nikos"), ("Κατερίνα", "katerina"), ("Στέλιος", "stelios"), ("Ιωάννα", "ioanna"), ("Θανάσης", "thanasis")],
        last: [("Παπαδοπούλου", "papadopoulou"), ("Νικολάου", "nikolaou"), ("Οικονόμου", "oikonomou"), ("Καραγιάννης", "karagiannis"), ("Βλάχος", "vlachos"), ("Αγγέλου", "angelou"), ("Δήμου", "dimou"), ("Ράλλη", "ralli")],
    },
    Place {
        first: [("Layla", "layla"), ("Yusuf", "yusuf"), ("Nour", "nour"), ("Karim", "karim"), ("Şebnem", "sebnem"), ("Çağrı", "cagri"), ("Gülşen", "gulsen"), ("Ömer", "omer")],
        last: [("Al-Hassan", "alhassan"), ("Haddad", "haddad"), ("Öztürk", "ozturk"), ("Yıldız", "yildiz"), ("Benali", "benali"), ("Mansour", "mansour"), ("Çelik", "celik"), ("El Idrissi", "elidrissi")],
    },
    Place {
        first: [("Chidinma", "chidinma"), ("Kwame", "kwame"), ("Adébáyọ̀", "adebayo"), ("Wanjiru", "wanjiru"), ("Thandiwe", "thandiwe"), ("Sékou", "sekou"), ("Abebe", "abebe"), ("Nomvula", "nomvula")],
        last: [("Okonkwo", "okonkwo"), ("Mensah", "mensah"), ("Ọláwálé", "olawale"), ("Kamau", "kamau"), ("Dlamini", "dlamini"), ("Traoré", "traore"), ("Tesfaye", "tesfaye"), ("van Wyk", "vanwyk")],
    },
    Place {
        first: [("Priya", "priya"), ("Arjun", "arjun"), ("अनन्या", "ananya"), ("Harpreet", "harpreet"), ("Meenakshi", "meenakshi"), ("রাহুল", "rahul"), ("Sanjay", "sanjay"), ("தமிழ்", "tamil")],
        last: [("Iyer", "iyer"), ("Chattopadhyay", "chattopadhyay"), ("शर्मा", "sharma"), ("Singh", "singh"), ("Patel", "patel"), ("Reddy", "reddy"), ("Fernandes", "fernandes"), ("Kulkarni", "kulkarni")],
    },
    Place {
        first: [("陽葵", "himari"), ("健太", "kenta"), ("さくら", "sakura"), ("蓮", "ren"), ("美咲", "misaki"), ("大輔", "daisuke"), ("Yuki", "yuki"), ("直樹", "naoki")],
        last: [("佐藤", "sato"), ("高橋", "takahashi"), ("渡辺", "watanabe"), ("Tanabe", "tanabe"), ("小林", "kobayashi"), ("山口", "yamaguchi"), ("松本", "matsumoto"), ("井上", "inoue")],
    },
    Place {
        first: [("秀英", "xiuying"), ("Minh Anh", "minhanh"), ("지훈", "jihoon"), ("Wei", "wei"), ("서연", "seoyeon"), ("志明", "zhiming"), ("Thảo", "thao"), ("Jia Hui", "jiahui")],
        last: [("王", "wang"), ("Nguyễn", "nguyen"), ("김", "kim"), ("Zhang", "zhang"), ("박", "park"), ("陳", "chen"), ("Trần", "tran"), ("Ng", "ng")],
    },
];

#[rustfmt::skip]
static COMPANIES: [(&str, &str); 20] = [
    ("Ünal & Söhne", "unal.example"), ("Brightwater Logistics", "brightwater.example"), ("Atelier Moreau", "atelier-moreau.example"),
    ("Kestrel Instruments", "kestrel.example"), ("北星出版", "hokusei.example"), ("Casa Verde", "casaverde.example"),
    ("Juniper & Pike", "juniperpike.example"), ("Fjord Energi", "fjordenergi.example"), ("Saffron Table", "saffrontable.example"),
    ("Ironbridge Foundry", "ironbridge.example"), ("Blue Baobab", "bluebaobab.example"), ("Lumen Optik", "lumenoptik.example"),
    ("Paper Crane Studio", "papercrane.example"), ("Zürcher Uhren", "zuercheruhren.example"), ("Tidewater Clinics", "tidewater.example"),
    ("Copper Kettle", "copperkettle.example"), ("Nakamura Tools", "nakamura.example"), ("Orchard Street Law", "orchardstreet.example"),
    ("Sierra Textil", "sierratextil.example"), ("Quarry Lane School", "quarrylane.example"),
];

#[rustfmt::skip]
static CITIES: [&str; 16] = [
    "Porto", "Malmö", "Łódź", "Accra", "Osaka", "València", "Cork", "Tromsø",
    "Québec", "Košice", "Pune", "Tbilisi", "Aarhus", "Arequipa", "Zürich", "İzmir",
];

#[rustfmt::skip]
static JOBS: [&str; 12] = [
    "Office manager", "Head of purchasing", "Owner", "Accountant", "Sales lead", "Engineer",
    "Operations", "Designer", "Director", "Assistant", "Buyer", "Teacher",
];

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_number_always_means_the_same_person() {
        assert_eq!(person(42).first, person(42).first);
        assert_eq!(person(42).phone, person(42).phone);
    }

    #[test]
    fn no_two_companies_share_a_name_or_a_domain() {
        let all: Vec<_> = (0..2_000).map(company).collect();
        let names: HashSet<_> = all.iter().map(|(name, _)| name).collect();
        let domains: HashSet<_> = all.iter().map(|(_, domain)| domain).collect();
        assert_eq!((names.len(), domains.len()), (2_000, 2_000));
    }

    #[test]
    fn addresses_are_spelled_in_plain_letters() {
        let plain = |name: &Name| name.1.bytes().all(|b| b.is_ascii_lowercase() || b == b'-');
        for place in &PLACES {
            assert!(place.first.iter().chain(&place.last).all(plain));
        }
    }
}
