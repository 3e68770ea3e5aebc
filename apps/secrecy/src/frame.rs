//! What goes over a connection: a header of 24 bytes, then the content.
//!
//! | bytes | what |
//! |---|---|
//! | 0, 1 | `S3` |
//! | 2 | kind: 1 hello, 2 data, 3 abort |
//! | 3 | the sender's number |
//! | 4..8 | bytes of content, little-endian as all that follows |
//! | 8..16 | sequence number, from 0, of each direction of a connection |
//! | 16..24 | checksum of the 16 bytes before it and the content |
//!
//! The checksum is SipHash-2-4 with a key of the connection, made of a number that each side drew. It finds what a
//! network, a proxy, a crash or a party of another run does to the stream. It is no protection against a party or a
//! network that means harm: the key went over the same connection.

use siphasher::sip::SipHasher24;
use std::hash::Hasher;

pub const HEADER_BYTES: usize = 24;
const MAGIC: [u8; 2] = *b"S3";
/// Longest reason of an abort, bytes.
pub const MAX_REASON_BYTES: usize = 400;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Hello = 1,
    Data = 2,
    Abort = 3,
}

/// What the checksums of a connection are made with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinkKey(pub u64, pub u64);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    pub kind: Kind,
    pub sender: u8,
    pub content_bytes: u32,
    pub sequence: u64,
    pub checksum: u64,
}

/// Fills in the header in front of the content: `frame` begins with [`HEADER_BYTES`] that are overwritten.
pub fn seal(frame: &mut [u8], key: LinkKey, kind: Kind, sender: u8, sequence: u64) {
    let content_bytes = u32::try_from(frame.len() - HEADER_BYTES).expect("the length was checked by the caller");
    frame[..2].copy_from_slice(&MAGIC);
    frame[2] = kind as u8;
    frame[3] = sender;
    frame[4..8].copy_from_slice(&content_bytes.to_le_bytes());
    frame[8..16].copy_from_slice(&sequence.to_le_bytes());
    let checksum = checksum(frame, key);
    frame[16..24].copy_from_slice(&checksum.to_le_bytes());
}

/// The checksum that a whole frame should have.
pub fn checksum(frame: &[u8], key: LinkKey) -> u64 {
    let mut hasher = SipHasher24::new_with_keys(key.0, key.1);
    hasher.write(&frame[..16]);
    hasher.write(&frame[HEADER_BYTES..]);
    hasher.finish()
}

impl Header {
    /// What the first bytes of a frame say; `None` where they are no header.
    pub fn parse(bytes: &[u8]) -> Option<Header> {
        if bytes.len() < HEADER_BYTES || bytes[..2] != MAGIC {
            return None;
        }
        let kind = [Kind::Hello, Kind::Data, Kind::Abort].into_iter().find(|kind| *kind as u8 == bytes[2])?;
        let number = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"));
        Some(Header {
            kind,
            sender: bytes[3],
            content_bytes: (number(0) >> 32) as u32,
            sequence: number(8),
            checksum: number(16),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame() -> Vec<u8> {
        let mut frame = vec![0; HEADER_BYTES];
        frame.extend_from_slice(b"content");
        seal(&mut frame, LinkKey(3, 4), Kind::Data, 2, 77);
        frame
    }

    #[test]
    fn a_header_says_what_was_sealed() {
        let header = Header::parse(&frame()).unwrap();
        assert_eq!((header.kind, header.sender, header.content_bytes, header.sequence), (Kind::Data, 2, 7, 77));
        assert_eq!(header.checksum, checksum(&frame(), LinkKey(3, 4)));
    }

    #[test]
    fn every_altered_bit_is_found() {
        let intact = frame();
        for bit in 0..8 * intact.len() {
            let mut altered = intact.clone();
            altered[bit / 8] ^= 1 << (bit % 8);
            let sound = |header: Header| header.checksum == checksum(&altered, LinkKey(3, 4));
            assert!(!Header::parse(&altered).is_some_and(sound), "bit {bit}");
        }
    }

    #[test]
    fn another_connection_has_other_checksums() {
        assert_ne!(checksum(&frame(), LinkKey(3, 4)), checksum(&frame(), LinkKey(4, 3)));
    }
}
