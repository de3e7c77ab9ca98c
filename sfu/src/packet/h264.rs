use super::PayloadFacts;

pub(super) fn parse(_payload: &[u8]) -> Option<PayloadFacts> {
    None
}
