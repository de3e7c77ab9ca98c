//! The dependency descriptor (RTP Payload Format For AV1, appendix A): which pictures need which, for any codec.
//!
//! Only what choosing needs is kept: the layers of a frame, and what it means to each decode target. What frames refer
//! to is walked over.

use smallvec::SmallVec;

/// One packet's descriptor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Descriptor {
    /// The packet is the first of its frame: one spatial layer of one picture.
    pub first: bool,
    /// It is the last of its frame.
    pub last: bool,
    /// Which template the frame follows, 0 to 63, before the structure's offset is taken off.
    pub template: u8,
    /// Number of the frame, of one series over all layers.
    pub number: u16,
    /// The templates from here on: with the first packet of a key picture.
    pub structure: Option<Structure>,
    /// Which decode targets the sender serves now, one bit each. `None`: as before.
    pub active: Option<u32>,
    /// What this frame means to each decode target, where that is not what its template says.
    pub indications: Option<Indications>,
}

/// What frames there are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Structure {
    /// Taken off [`Descriptor::template`], modulo 64.
    offset: u8,
    /// At most 64.
    templates: Vec<Template>,
    /// Decode targets, at most 32.
    pub targets: usize,
}

/// What many frames have in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    /// Spatial layer, 0 to 3.
    pub spatial: u8,
    /// Temporal layer, 0 to 7.
    pub temporal: u8,
    /// What such a frame means to each decode target.
    pub indications: Indications,
}

/// One [`Indication`] for each decode target.
pub type Indications = SmallVec<[Indication; 9]>;

/// What a frame means to a decode target (§A.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Indication {
    /// It is no part of it.
    Absent,
    /// It is part of it, and no later frame of it needs this one.
    Discardable,
    /// Whoever has it decoded can decode all that follow of the target.
    Switch,
    /// It is part of it.
    Required,
}

impl Indication {
    /// Is the frame part of the target?
    #[must_use]
    pub fn is_present(self) -> bool {
        self != Self::Absent
    }
}

impl Descriptor {
    /// Reads a descriptor. `structure` is the newest one of the stream: without it custom fields have no width, and are
    /// left out. `None`: malformed.
    #[must_use]
    pub fn read(bytes: &[u8], structure: Option<&Structure>) -> Option<Self> {
        let mut bits = Bits { bytes, at: 0 };
        let mut read = Self {
            first: bits.flag()?,
            last: bits.flag()?,
            template: bits.take(6)? as u8,
            number: bits.take(16)? as u16,
            structure: None,
            active: None,
            indications: None,
        };
        if bytes.len() <= MANDATORY_BYTES {
            return Some(read);
        }
        let [has_structure, has_active, has_indications] = [bits.flag()?, bits.flag()?, bits.flag()?];
        bits.take(2)?; // Custom references and chains: they would stand behind all that is read here.
        if has_structure {
            read.structure = Some(Structure::read(&mut bits)?);
        }
        let Some(targets) = read.structure.as_ref().or(structure).map(|structure| structure.targets) else {
            return Some(read);
        };
        if has_active {
            read.active = Some(bits.take(targets as u32)?);
        } else if has_structure {
            read.active = Some(u32::MAX >> (32 - targets));
        }
        if has_indications {
            read.indications = Some(indications(&mut bits, targets)?);
        }
        Some(read)
    }
}

impl Descriptor {
    /// The frame number of a descriptor that was read before. `None`: it is cut.
    #[must_use]
    pub fn number_of(bytes: &[u8]) -> Option<u16> {
        Some(u16::from_be_bytes([*bytes.get(1)?, *bytes.get(2)?]))
    }
}

impl Structure {
    fn read(bits: &mut Bits<'_>) -> Option<Self> {
        let offset = bits.take(6)? as u8;
        let targets = bits.take(5)? as usize + 1;
        let mut templates = Vec::new();
        let (mut spatial, mut temporal) = (0, 0);
        loop {
            if templates.len() == TEMPLATES_MAX {
                return None;
            }
            templates.push(Template { spatial, temporal, indications: Indications::new() });
            match bits.take(2)? {
                0 => {}
                1 => temporal += 1,
                2 => (spatial, temporal) = (spatial + 1, 0),
                _ => break,
            }
            if spatial > 3 || temporal > 7 {
                return None;
            }
        }
        for template in &mut templates {
            template.indications = indications(bits, targets)?;
        }
        for _ in &templates {
            while bits.flag()? {
                bits.take(4)?;
            }
        }
        let chains = bits.non_symmetric(targets as u32 + 1)?;
        if chains > 0 {
            for _ in 0..targets {
                bits.non_symmetric(chains)?;
            }
            for _ in 0..templates.len() * chains as usize {
                bits.take(4)?;
            }
        }
        if bits.flag()? {
            for _ in 0..=spatial {
                bits.take(32)?; // Width and height.
            }
        }
        Some(Self { offset, templates, targets })
    }

    /// The template of that number in a descriptor. `None`: there is none.
    #[must_use]
    pub fn template(&self, number: u8) -> Option<&Template> {
        self.templates.get(usize::from((number + 64 - self.offset) % 64))
    }

    /// The highest spatial and temporal layer of a decode target.
    #[must_use]
    pub fn layers(&self, target: usize) -> (u8, u8) {
        let of = self.templates.iter().filter(|template| template.indications[target].is_present());
        of.fold((0, 0), |most, template| (most.0.max(template.spatial), most.1.max(template.temporal)))
    }

    /// Its templates.
    #[must_use]
    pub fn templates(&self) -> &[Template] {
        &self.templates
    }
}

fn indications(bits: &mut Bits<'_>, targets: usize) -> Option<Indications> {
    (0..targets)
        .map(|_| {
            Some(match bits.take(2)? {
                0 => Indication::Absent,
                1 => Indication::Discardable,
                2 => Indication::Switch,
                _ => Indication::Required,
            })
        })
        .collect()
}

/// Bits, the highest first.
struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    fn flag(&mut self) -> Option<bool> {
        Some(self.take(1)? == 1)
    }

    /// The next `count` bits, at most 32.
    fn take(&mut self, count: u32) -> Option<u32> {
        let mut value = 0u32;
        for _ in 0..count {
            let byte = self.bytes.get(self.at / 8)?;
            value = value << 1 | u32::from(byte >> (7 - self.at % 8) & 1);
            self.at += 1;
        }
        Some(value)
    }

    /// A number below `limit` in as few bits as it takes (AV1 specification §4.10.7).
    fn non_symmetric(&mut self, limit: u32) -> Option<u32> {
        let width = 32 - limit.leading_zeros();
        let short = (1u32 << width).checked_sub(limit)?;
        let value = self.take(width.checked_sub(1)?)?;
        if value < short {
            return Some(value);
        }
        Some((value << 1 | self.take(1)?) - short)
    }
}

/// What every descriptor has.
const MANDATORY_BYTES: usize = 3;

/// Template numbers have six bits.
const TEMPLATES_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::{
        Descriptor,
        Indication::{Absent, Discardable, Required, Switch},
    };

    /// A key picture of three temporal layers, template numbers from 7 on, as the specification's L1T3.
    const L1T3: [u8; 20] = [
        0x87, 0x12, 0x34, 0x80, 0xe2, 0x14, 0xea, 0xa8, 0x60, 0x41, 0x4d, 0x14, 0x10, 0x20, 0x84, 0x27, 0x02, 0x7f,
        0x01, 0x67,
    ];

    #[test]
    fn a_key_picture_brings_the_templates() {
        let key = Descriptor::read(&L1T3, None).unwrap();
        assert_eq!((key.first, key.last, key.template, key.number), (true, false, 7, 0x1234));
        assert_eq!(key.active, Some(0b111));
        let structure = key.structure.unwrap();
        let read = structure.templates().iter().map(|it| (it.spatial, it.temporal, it.indications.to_vec()));
        assert_eq!(
            read.collect::<Vec<_>>(),
            [
                (0, 0, vec![Switch, Switch, Switch]),
                (0, 0, vec![Switch, Switch, Switch]),
                (0, 1, vec![Absent, Discardable, Switch]),
                (0, 2, vec![Absent, Absent, Discardable]),
                (0, 2, vec![Absent, Absent, Discardable]),
            ]
        );
        assert_eq!(structure.template(9).map(|template| template.temporal), Some(1));
        assert_eq!(structure.template(12), None);

        let plain = Descriptor::read(&[0x49, 0, 9], None).unwrap();
        assert_eq!((plain.first, plain.last, plain.template, plain.number), (false, true, 9, 9));
        let fewer = Descriptor::read(&[0xc9, 0, 9, 0x44], Some(&structure)).unwrap();
        assert_eq!(fewer.active, Some(0b100), "three bits behind five flags");
    }

    #[test]
    fn custom_indications_have_the_width_of_the_structure() {
        let structure = Descriptor::read(&L1T3, None).unwrap().structure.unwrap();
        // Flags 00100, then D R -.
        let custom = [0xc9, 0, 9, 0b0010_0011, 0b1000_0000];
        let read = Descriptor::read(&custom, Some(&structure)).unwrap();
        assert_eq!(read.indications.unwrap().to_vec(), [Discardable, Required, Absent]);
        assert_eq!(Descriptor::read(&custom, None).unwrap().indications, None, "its width is not known");
    }

    #[test]
    fn what_is_cut_or_has_too_many_layers_is_no_descriptor() {
        for cut in 0..3 {
            assert_eq!(Descriptor::read(&L1T3[..cut], None), None);
        }
        for cut in 4..L1T3.len() {
            assert_eq!(Descriptor::read(&L1T3[..cut], None), None, "{cut}");
        }
        // Templates without end, each a temporal layer more.
        assert_eq!(Descriptor::read(&[0x80, 0, 0, 0x80, 0x01, 0x55, 0x55, 0x55, 0x55, 0x55], None), None);
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..80)) {
            let structure = Descriptor::read(&L1T3, None).unwrap().structure;
            if let Some(read) = Descriptor::read(&bytes, structure.as_ref())
                && let Some(structure) = read.structure
            {
                proptest::prop_assert!(structure.templates().len() <= 64 && structure.targets <= 32);
            }
        }
    }
}
