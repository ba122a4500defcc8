//! A font with only the glyphs that a picture uses, so that an SVG which carries it stays small.
//!
//! The outlines of all other glyphs are emptied; numbers of glyphs stay, so every other table of
//! the file stays as it is. What the layout tables say about kerning is left out: texts come out as
//! wide as they were measured.

use std::collections::BTreeSet;

/// These tables are kept; the copyright stands in `name`.
const KEPT: [&[u8; 4]; 11] = [
    b"OS/2", b"cmap", b"gasp", b"glyf", b"head", b"hhea", b"hmtx", b"loca", b"maxp", b"name",
    b"post",
];

/// Component flags of a glyph that is made of others.
const WORDS: u16 = 1;
const SCALE: u16 = 1 << 3;
const MORE: u16 = 1 << 5;
const SCALES: u16 = 1 << 6;
const MATRIX: u16 = 1 << 7;

/// The font with those glyphs alone; `None` if it is not a TrueType font.
pub(super) fn subset(font: &[u8], glyphs: impl IntoIterator<Item = u16>) -> Option<Vec<u8>> {
    let file = File(font);
    let outlines = Outlines::of(file)?;
    let mut wanted: BTreeSet<u16> = BTreeSet::new();
    // The first is what stands for a letter that the font does not have.
    let mut open: Vec<u16> = glyphs.into_iter().chain([0]).collect();
    while let Some(glyph) = open.pop() {
        if wanted.insert(glyph) {
            outlines.components(glyph, &mut open)?;
        }
    }
    let (glyf, loca) = outlines.only(&wanted)?;
    let mut tables: Vec<(&[u8; 4], Vec<u8>)> = Vec::new();
    for name in KEPT {
        let table = match name {
            b"glyf" => glyf.clone(),
            b"loca" => loca.clone(),
            _ => match file.table(name) {
                Some(table) => table.to_vec(),
                None => continue,
            },
        };
        tables.push((name, table));
    }
    Some(assemble(tables))
}

/// A font file; all numbers in it are big-endian.
#[derive(Clone, Copy)]
struct File<'a>(&'a [u8]);

impl<'a> File<'a> {
    fn table(self, name: &[u8; 4]) -> Option<&'a [u8]> {
        let count = usize::from(u16_at(self.0, 4)?);
        let entries = self.0.get(12..12 + count * 16)?.chunks_exact(16);
        let entry = entries.into_iter().find(|entry| entry.starts_with(name))?;
        let (start, length) = (u32_at(entry, 8)? as usize, u32_at(entry, 12)? as usize);
        self.0.get(start..start.checked_add(length)?)
    }
}

/// Where the outline of each glyph lies.
struct Outlines<'a> {
    glyf: &'a [u8],
    /// Bounds, one more than there are glyphs.
    bounds: Vec<usize>,
    /// Are they written as halves in 16 bits?
    short: bool,
}

impl<'a> Outlines<'a> {
    fn of(file: File<'a>) -> Option<Self> {
        let short = u16_at(file.table(b"head")?, 50)? == 0;
        let loca = file.table(b"loca")?;
        let bounds = if short {
            loca.chunks_exact(2)
                .filter_map(|half| Some(usize::from(u16_at(half, 0)?) * 2))
                .collect()
        } else {
            loca.chunks_exact(4).filter_map(|at| Some(u32_at(at, 0)? as usize)).collect()
        };
        Some(Self { glyf: file.table(b"glyf")?, bounds, short })
    }
    fn glyph(&self, glyph: u16) -> Option<&'a [u8]> {
        let (start, end) =
            (self.bounds.get(usize::from(glyph))?, self.bounds.get(usize::from(glyph) + 1)?);
        self.glyf.get(*start..*end)
    }
    /// Adds the glyphs that a glyph is made of.
    fn components(&self, glyph: u16, open: &mut Vec<u16>) -> Option<()> {
        let outline = self.glyph(glyph)?;
        // A negative number of contours says that it is made of others.
        if u16_at(outline, 0).is_none_or(|contours| contours < 0x8000) {
            return Some(());
        }
        let mut at = 10;
        loop {
            let flags = u16_at(outline, at)?;
            open.push(u16_at(outline, at + 2)?);
            at += 4 + if flags & WORDS == 0 { 2 } else { 4 };
            at += match flags {
                _ if flags & SCALE != 0 => 2,
                _ if flags & SCALES != 0 => 4,
                _ if flags & MATRIX != 0 => 8,
                _ => 0,
            };
            if flags & MORE == 0 {
                return Some(());
            }
        }
    }
    /// The outlines of those glyphs, and where each of all glyphs' lies.
    fn only(&self, wanted: &BTreeSet<u16>) -> Option<(Vec<u8>, Vec<u8>)> {
        let (mut glyf, mut loca) = (Vec::new(), Vec::new());
        let count = self.bounds.len().saturating_sub(1);
        for glyph in 0..=count {
            if self.short {
                loca.extend(((glyf.len() / 2) as u16).to_be_bytes());
            } else {
                loca.extend((glyf.len() as u32).to_be_bytes());
            }
            let glyph = glyph as u16;
            if wanted.contains(&glyph) {
                glyf.extend(self.glyph(glyph)?);
                pad(&mut glyf);
            }
        }
        Some((glyf, loca))
    }
}

/// A font file of those tables, with its sums.
fn assemble(tables: Vec<(&[u8; 4], Vec<u8>)>) -> Vec<u8> {
    let count = tables.len() as u16;
    let power = 15 - count.leading_zeros() as u16;
    let mut file = vec![0, 1, 0, 0];
    for number in [count, 16 << power, power, count * 16 - (16 << power)] {
        file.extend(number.to_be_bytes());
    }
    let mut body = Vec::new();
    let mut head = 0;
    for (name, mut table) in tables {
        let start = 12 + usize::from(count) * 16 + body.len();
        if name == b"head" {
            head = start;
            // The sum of the whole file stands here, and counts as zero meanwhile.
            table[8..12].fill(0);
        }
        let length = table.len() as u32;
        pad(&mut table);
        file.extend(name);
        for number in [sum(&table), start as u32, length] {
            file.extend(number.to_be_bytes());
        }
        body.extend(table);
    }
    file.extend(body);
    let whole = 0xb1b0_afba_u32.wrapping_sub(sum(&file));
    if let Some(place) = file.get_mut(head + 8..head + 12) {
        place.copy_from_slice(&whole.to_be_bytes());
    }
    file
}

/// Tables and outlines begin at multiples of four.
fn pad(bytes: &mut Vec<u8>) {
    bytes.resize(bytes.len().next_multiple_of(4), 0);
}

fn sum(bytes: &[u8]) -> u32 {
    bytes.chunks_exact(4).filter_map(|word| u32_at(word, 0)).fold(0, u32::wrapping_add)
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use ab_glyph::{Font as _, FontRef};

    use super::*;
    use crate::font::Face;

    #[test]
    fn what_is_used_is_as_it_was_and_all_else_is_gone() {
        for face in Face::ALL {
            let used = "Tables of wéb: 131,072 ä→";
            let bytes = face.subset(used);
            let small = FontRef::try_from_slice(&bytes).expect("it is a font");
            let whole = face.font();
            for c in used.chars() {
                let glyph = small.glyph_id(c);
                assert_eq!(glyph, whole.glyph_id(c), "{c:?}");
                let curves =
                    |outline: Option<ab_glyph::Outline>| format!("{:?}", outline.map(|o| o.curves));
                assert_eq!(curves(small.outline(glyph)), curves(whole.outline(glyph)), "{c:?}");
                assert_eq!(small.h_advance_unscaled(glyph), whole.h_advance_unscaled(glyph));
            }
            assert!(whole.outline(whole.glyph_id('Q')).is_some());
            assert!(small.outline(small.glyph_id('Q')).is_none());
            assert!(bytes.len() * 4 < face.bytes().len(), "{}", bytes.len());
        }
    }

    #[test]
    fn the_sums_are_right() {
        let bytes = Face::Sans.subset("abc");
        // The sum of a whole font file is this number, and each table has its own.
        assert_eq!(sum(&bytes), 0xb1b0_afba);
        let count = usize::from(u16_at(&bytes, 4).expect("it has tables"));
        for entry in bytes[12..12 + count * 16].chunks_exact(16) {
            let [said, start, length] =
                [4, 8, 12].map(|at| u32_at(entry, at).expect("it is whole") as usize);
            let end = (start + length).next_multiple_of(4);
            let is_head = entry.starts_with(b"head");
            assert!(is_head || sum(&bytes[start..end]) as usize == said, "{entry:?}");
        }
    }

    #[test]
    fn what_is_no_font_is_refused() {
        assert_eq!(subset(b"", [1]), None);
        let font = Face::Mono.bytes();
        for length in (0..font.len()).step_by(997) {
            assert_eq!(subset(&font[..length], [40]).filter(|cut| cut.is_empty()), None);
        }
        assert_eq!(subset(font, [60_000]), None);
    }
}
