//! Chance that can be had again: numbers that depend on nothing but their arguments.

/// Spreads the bits of a number (the last step of splitmix64).
pub fn mix(mut x: u64) -> u64 {
    x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// The same for a text (FNV-1a, then mixed), so that a text's share does not hang on its neighbours.
pub fn mix_text(seed: u64, salt: &str, text: &str) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64 ^ mix(seed);
    for byte in salt.bytes().chain([0xff]).chain(text.bytes()) {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    mix(hash)
}

/// A number from 0 (in) to 1 (out).
#[allow(clippy::cast_precision_loss)] // 53 bits fit
pub fn unit(bits: u64) -> f64 {
    (bits >> 11) as f64 / (1_u64 << 53) as f64
}

/// A generator of its own for one thing, so that adding things before it changes nothing.
pub fn rng(seed: u64, salt: &str, number: u64) -> fastrand::Rng {
    fastrand::Rng::with_seed(mix_text(seed, salt, "") ^ mix(number))
}
