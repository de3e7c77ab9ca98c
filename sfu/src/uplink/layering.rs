//! Judges the packets of a scalable stream as they arrive: which targets each is for, and what every target is not
//! sent.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::{
    media::Codec,
    packet::{
        Descriptor, Indication, PayloadFacts, Structure,
        target::{DESCRIPTOR_BYTES_MAX, Layered, Skipped, TARGETS, Target, Targets, mask},
    },
    stats::Dropped,
};

/// Judges the packets of one encoding as they arrive.
#[derive(Debug, Default)]
pub struct Layering {
    structure: Option<Structure>,
    /// What each target of ours is in the sender's structure.
    served: [Option<u8>; TARGETS],
    active: u32,
    nested: bool,
    /// Layers were seen: from now on every packet is judged.
    is_layered: bool,
    /// The frame of the newest descriptor.
    frame: Option<Frame>,
    /// PictureID of the newest packet, VP8 only.
    picture_id: Option<u16>,
    /// What each target is not sent up to and with a packet, by its number: for those that come late.
    behind: VecDeque<(u64, [Skipped; TARGETS])>,
    /// Some of those have been forgotten.
    is_forgetful: bool,
}

#[derive(Debug, Clone, Copy)]
struct Frame {
    number: u16,
    layer: Target,
    wanted: Targets,
    switch: Targets,
}

impl Layering {
    /// Judges a packet. `descriptor` is its dependency descriptor, `seq` its number, `marker` as its sender set it.
    /// `None`: the stream has no layers so far.
    ///
    /// # Errors
    /// `TooOld` where it is too late for its place to be known. `Malformed` where the descriptor is.
    pub fn judge(
        &mut self,
        codec: Codec,
        seq: u64,
        marker: bool,
        facts: &PayloadFacts,
        descriptor: Option<&[u8]>,
    ) -> Result<Option<Box<Layered>>, Dropped> {
        let descriptor = descriptor.filter(|bytes| bytes.len() <= DESCRIPTOR_BYTES_MAX && !codec.is_sound());
        let told = match descriptor {
            Some(bytes) => Some(Descriptor::read(bytes, self.structure.as_ref()).ok_or(Dropped::Malformed)?),
            None => None,
        };
        // Without a descriptor layers are known for codecs whose payload header names them.
        let tells = matches!(codec, Codec::Vp8 | Codec::Vp9);
        self.is_layered |= told.is_some() || tells && (facts.temporal_id > 0 || facts.spatial_id > 0);
        if !self.is_layered {
            return Ok(None);
        }
        let late = self.behind.back().is_some_and(|(newest, _)| seq <= *newest);
        let known = self.behind.partition_point(|(at, _)| *at < seq);
        // Judged a second time, a packet could get the number of another.
        if late && (known == 0 && self.is_forgetful || self.behind.get(known).is_some_and(|(at, _)| *at == seq)) {
            return Err(Dropped::TooOld);
        }
        let before = known.checked_sub(1).map_or([Skipped::default(); TARGETS], |at| self.behind[at].1);
        let (begins, ends) = match &told {
            Some(told) => (told.first, told.last),
            None => (facts.begins, facts.ends || marker),
        };
        let frame = match told {
            Some(told) => self.read(told),
            None if tells => Self::plain(codec, facts),
            None => Frame { number: 0, layer: Target::new(0, 0), wanted: Targets::MAX, switch: 0 },
        };
        let ends = match (marker, ends) {
            (true, _) => Targets::MAX,
            (false, true) => mask(|target| target.spatial() == frame.layer.spatial()),
            (false, false) => 0,
        };
        if !late {
            let mut behind = before;
            let picture_id = facts.vp8.and_then(|vp8| vp8.picture_id);
            let next_picture = std::mem::replace(&mut self.picture_id, picture_id) != picture_id;
            for target in Target::every().filter(|target| frame.wanted & target.bit() == 0) {
                let skipped = &mut behind[target.index()];
                skipped.packets = skipped.packets.wrapping_add(1);
                skipped.pictures = skipped.pictures.wrapping_add(u16::from(next_picture));
            }
            self.behind.push_back((seq, behind));
            // A late packet has taken an entry too.
            while self.behind.len() > BEHIND_PACKETS {
                self.is_forgetful = true;
                self.behind.pop_front();
            }
        } else {
            self.behind.insert(known, (seq, before));
        }
        Ok(Some(Box::new(Layered {
            frame: frame.layer,
            begins,
            wanted: frame.wanted,
            switch: frame.switch,
            ends,
            nested: self.nested || self.structure.is_none(),
            late,
            before,
            descriptor: descriptor.map(Bytes::copy_from_slice),
        })))
    }

    /// A frame by its descriptor. One whose template is unknown belongs to every target.
    fn read(&mut self, told: Descriptor) -> Frame {
        if let Some(structure) = told.structure {
            self.nested = is_nested(&structure);
            self.structure = Some(structure);
            self.frame = None;
        }
        if let Some(active) = told.active.filter(|active| *active != self.active || self.frame.is_none()) {
            self.active = active;
            self.serve();
        }
        if let Some(frame) = self.frame.filter(|frame| frame.number == told.number) {
            return frame;
        }
        let unknown = Frame { number: told.number, layer: Target::new(0, 0), wanted: Targets::MAX, switch: 0 };
        let template = self.structure.as_ref().and_then(|structure| structure.template(told.template));
        let Some(template) = template else { return unknown };
        let indications = told.indications.as_ref().unwrap_or(&template.indications);
        let means = |target: Target| Some(indications[usize::from(self.served[target.index()]?)]);
        let frame = Frame {
            number: told.number,
            layer: Target::new(template.spatial, template.temporal),
            wanted: mask(|target| means(target).is_none_or(Indication::is_present)),
            switch: mask(|target| means(target) == Some(Indication::Switch)),
        };
        self.frame = Some(frame);
        frame
    }

    /// Finds, for each target of ours, the best of the sender's that is not beyond it.
    fn serve(&mut self) {
        let Some(structure) = &self.structure else { return };
        for ours in Target::every() {
            let theirs = (0..structure.targets)
                .filter(|at| self.active >> at & 1 == 1)
                .map(|at| (structure.layers(at), at))
                .filter(|((spatial, temporal), _)| ours.has(*spatial, *temporal))
                .max();
            self.served[ours.index()] = theirs.map(|(_, at)| at as u8);
        }
    }

    /// A frame by its payload header: every layer builds on all below it.
    fn plain(codec: Codec, facts: &PayloadFacts) -> Frame {
        let layer = Target::new(facts.spatial_id, facts.temporal_id);
        let has = |target: Target| target.has(layer.spatial(), layer.temporal());
        // VP8 says that this frame needs the base only (RFC 7741 §4.2, Y); VP9 that all higher ones behind it do not
        // look past it (RFC 9628 §4.2, U).
        let reaches = |target: Target| codec == Codec::Vp9 || target.temporal() == layer.temporal();
        let switch = if facts.switch { mask(|target| has(target) && reaches(target)) } else { 0 };
        Frame { number: 0, layer, wanted: mask(has), switch }
    }
}

/// Does every decode target have what those of smaller pictures have?
fn is_nested(structure: &Structure) -> bool {
    let layers: Vec<_> = (0..structure.targets).map(|at| structure.layers(at)).collect();
    structure.templates().iter().all(|template| {
        let reaches = |(spatial, temporal): (u8, u8)| spatial >= template.spatial && temporal >= template.temporal;
        let of = template.indications.iter().zip(&layers).filter(|(_, layers)| reaches(**layers));
        of.into_iter().all(|(indication, _)| indication.is_present())
    })
}

/// Repairs come within half a second.
const BEHIND_PACKETS: usize = 512;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::parse;

    fn vp8(temporal_id: u8, sync: bool, picture_id: u8, keyframe: bool) -> PayloadFacts {
        let extended = [0x90, 0xa0, picture_id & 0x7f, temporal_id << 6 | u8::from(sync) << 5, u8::from(!keyframe)];
        parse(Codec::Vp8, &extended).unwrap()
    }

    fn judge(layering: &mut Layering, seq: u64, facts: &PayloadFacts) -> Layered {
        *layering.judge(Codec::Vp8, seq, true, facts, None).unwrap().unwrap()
    }

    #[test]
    fn a_stream_without_layers_is_not_judged() {
        let mut layering = Layering::default();
        for seq in 0..4 {
            assert_eq!(layering.judge(Codec::Vp8, seq, true, &vp8(0, false, seq as u8, seq == 0), None), Ok(None));
            let other = parse(Codec::H264, &[0x65, 0x80]).unwrap();
            assert_eq!(Layering::default().judge(Codec::H264, seq, true, &other, None), Ok(None));
        }
        assert!(layering.judge(Codec::Vp8, 4, true, &vp8(1, true, 4, false), None).unwrap().is_some());
        assert!(layering.judge(Codec::Vp8, 5, true, &vp8(0, false, 5, false), None).unwrap().is_some(), "from now on");
    }

    #[test]
    fn numbers_and_pictures_close_up_over_what_is_skipped() {
        let mut layering = Layering { is_layered: true, ..Layering::default() };
        let base = Target::new(0, 0);
        let told: Vec<_> = [(10, 0), (11, 2), (12, 1), (13, 2), (14, 0), (16, 2), (17, 0)]
            .map(|(seq, temporal_id)| (seq, judge(&mut layering, seq, &vp8(temporal_id, true, seq as u8, false))))
            .into();
        let skipped = |target: Target| told.iter().map(|(_, it)| it.before(target).packets).collect::<Vec<_>>();
        assert_eq!(skipped(base), [0, 0, 1, 2, 3, 3, 4]);
        assert_eq!(skipped(Target::new(0, 1)), [0, 0, 1, 1, 2, 2, 3]);
        assert_eq!(skipped(Target::ALL), [0; 7]);
        assert_eq!(told[6].1.before(base).pictures, 4);
        // 15 comes late: its number is kept, because its targets were unknown.
        let late = judge(&mut layering, 15, &vp8(2, true, 15, false));
        assert_eq!((late.is_wanted(base), late.has_place(base), late.before(base).packets), (false, true, 3));
        assert_eq!(
            layering.judge(Codec::Vp8, 15, true, &vp8(2, true, 15, false), None),
            Err(Dropped::TooOld),
            "a packet is judged once"
        );
        let first = judge(&mut layering, 9, &vp8(0, true, 9, false));
        assert_eq!(first.before(base), Skipped::default(), "nothing was skipped before it");
        for seq in 18..18 + BEHIND_PACKETS as u64 {
            judge(&mut layering, seq, &vp8(2, true, seq as u8, false));
        }
        assert_eq!(layering.judge(Codec::Vp8, 8, true, &vp8(0, true, 8, false), None), Err(Dropped::TooOld));
    }

    #[test]
    fn a_viewer_goes_up_where_the_stream_lets_it_and_down_at_any_picture() {
        let mut layering = Layering::default();
        let [base, half, full] = [0, 1, 2].map(|temporal| Target::new(0, temporal));
        let mut next = |seq, temporal_id, sync| judge(&mut layering, seq, &vp8(temporal_id, sync, seq as u8, false));
        let _ = next(0, 2, true);
        let [top, middle, later, bottom] = [next(1, 2, true), next(2, 1, true), next(3, 2, false), next(4, 0, false)];
        assert!(top.turns(base, full, false) && !top.turns(base, half, false), "its own rate only");
        assert!(middle.turns(base, half, false));
        assert!(!later.turns(base, full, false), "it may need what was not sent");
        assert!(!bottom.turns(base, full, false) && bottom.turns(full, base, false) && bottom.turns(full, half, false));
        assert!(bottom.turns(base, full, true), "a keyframe needs nothing");
    }

    /// Two sizes, by template: key picture, small, large of the key picture, large. `nested`: the large one needs the
    /// small one always, and not only at key pictures.
    fn two_sizes(nested: bool) -> [Vec<u8>; 5] {
        let key: &[u8] = if nested {
            &[
                0xc0, 0x00, 0x01, 0x80, 0x01, 0x23, 0xab, 0x23, 0x45, 0x18, 0x20, 0xd0, 0x02, 0x11, 0x11, 0x18, 0x09,
                0xf8, 0x05, 0x98, 0x13, 0xf8, 0x0b, 0x38,
            ]
        } else {
            &[
                0xc0, 0x00, 0x01, 0x80, 0x01, 0x23, 0xa8, 0x22, 0x45, 0x14, 0x1a, 0x00, 0x42, 0x24, 0x23, 0x01, 0x3f,
                0x00, 0xb3, 0x02, 0x7f, 0x01, 0x67,
            ]
        };
        let plain = |template: u8, number: u8| vec![0xc0 | template, 0, number];
        [key.to_vec(), plain(2, 2), plain(1, 3), plain(3, 4), plain(1, 5)]
    }

    #[test]
    fn sizes_are_chosen_by_the_dependency_descriptor() {
        let [small, large] = [Target::new(0, 0), Target::new(1, 0)];
        for nested in [true, false] {
            let mut layering = Layering::default();
            let facts = parse(Codec::H264, &[0x41, 0x80]).unwrap();
            let told: Vec<_> = two_sizes(nested)
                .iter()
                .enumerate()
                .map(|(seq, bytes)| {
                    let marker = seq % 2 == 1;
                    *layering.judge(Codec::Av1, seq as u64, marker, &facts, Some(bytes)).unwrap().unwrap()
                })
                .collect();
            let wanted = |target| told.iter().map(|it| it.is_wanted(target)).collect::<Vec<_>>();
            assert_eq!(wanted(small), [true, false, true, false, true]);
            assert_eq!(wanted(large), [true, true, nested, true, nested], "{nested}");
            assert_eq!(wanted(Target::ALL), wanted(large), "there is no more");
            assert!(told[0].ends(small) && !told[0].ends(large) && told[1].ends(large));
            assert!(told[0].turns(small, large, true) && !told[3].turns(small, large, false), "up at a key picture");
            assert_eq!(told[2].turns(large, small, false), nested, "down where the small one was sent");
            assert_eq!(told[0].descriptor.as_deref().map(<[u8]>::len), Some(if nested { 24 } else { 23 }));
        }
    }

    #[test]
    fn a_cut_descriptor_is_malformed_and_one_without_its_structure_belongs_to_every_target() {
        let facts = parse(Codec::H264, &[0x41, 0x80]).unwrap();
        let mut layering = Layering::default();
        assert_eq!(layering.judge(Codec::Av1, 1, true, &facts, Some(&[0xc0, 0])), Err(Dropped::Malformed));
        let lost = layering.judge(Codec::Av1, 2, true, &facts, Some(&[0xc2, 0, 9])).unwrap().unwrap();
        assert!(Target::every().all(|target| lost.is_wanted(target)));
    }
}
