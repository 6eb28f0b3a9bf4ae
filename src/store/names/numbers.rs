//! Numbers of as few bytes as they need.

/// Seven bits in a byte, the lowest first; the eighth says that more follow.
pub fn write_number(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

#[inline]
pub fn read_number(from: &mut &[u8]) -> u64 {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let Some((byte, rest)) = from.split_first() else {
            break;
        };
        *from = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            break;
        }
    }
    number
}

/// How far one time is from another, whatever they are: near ones are written as small numbers.
pub fn step(from: i64, to: i64) -> u64 {
    let step = to.wrapping_sub(from);
    (step.wrapping_shl(1) ^ (step >> 63)) as u64
}

/// Where such a step leads.
#[inline]
pub fn stepped(from: i64, step: u64) -> i64 {
    from.wrapping_add((step >> 1) as i64 ^ -((step & 1) as i64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        for number in [0, 1, 0x7f, 0x80, 300, u64::from(u32::MAX), u64::MAX] {
            let mut written = Vec::new();
            write_number(&mut written, number);
            let mut rest = &written[..];
            assert_eq!((read_number(&mut rest), rest.len()), (number, 0));
        }
    }

    #[test]
    fn a_step_leads_from_any_time_to_any_other() {
        let times = [0, 1, -1, 1_700_000_000_000, i64::MIN, i64::MAX];
        for from in times {
            for to in times {
                assert_eq!(stepped(from, step(from, to)), to, "{from} {to}");
            }
        }
        assert_eq!(step(5, 4), 1);
    }
}
