//! 16-bit sequence numbers, extended over their wraps (RFC 3550 appendix A.1).

/// The number nearest to `highest` whose low 16 bits are `seq`.
#[must_use]
pub fn extend(highest: u64, seq: u16) -> u64 {
    let distance = i64::from(seq.wrapping_sub(highest as u16) as i16);
    highest.checked_add_signed(distance).unwrap_or(u64::from(seq))
}

#[cfg(test)]
mod tests {
    use super::extend;

    #[test]
    fn the_nearest_number_is_found_over_wraps_in_both_directions() {
        let table = [
            (0x1_0005, 0x0006, 0x1_0006),
            (0x1_0005, 0xffff, 0xffff),
            (0x1_ffff, 0x0000, 0x2_0000),
            (0x2_0000, 0xfffe, 0x1_fffe),
            // Below zero there is nothing: the number is taken as it is.
            (0x0002, 0xffff, 0xffff),
        ];
        for (highest, seq, expected) in table {
            assert_eq!(extend(highest, seq), expected, "{highest:#x} and {seq:#x}");
        }
    }
}
