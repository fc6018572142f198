//! Seeded numbers: the same seed gives the same cluster (SplitMix64).

/// A source of numbers.
#[derive(Debug, Clone)]
pub struct Dice(u64);

impl Dice {
    /// A source for one `purpose`, so that what one part draws does not shift what another gets.
    pub fn new(seed: u64, purpose: &str) -> Self {
        let salt = purpose
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        Self(seed ^ salt)
    }

    /// Any number.
    pub fn any(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number from `low` to `high`, both included.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.any() % (high - low + 1)
    }

    /// Whether something of probability `percent` happens.
    pub fn happens(&mut self, percent: u64) -> bool {
        self.any() % 100 < percent
    }

    /// One of `choices`, which are not empty.
    pub fn one<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        &choices[self.any() as usize % choices.len()]
    }

    /// `count` of `choices`, in their order.
    pub fn some<T: Clone>(&mut self, choices: &[T], count: usize) -> Vec<T> {
        let mut left: Vec<usize> = (0..choices.len()).collect();
        while left.len() > count {
            left.remove(self.any() as usize % left.len());
        }
        left.into_iter().map(|i| choices[i].clone()).collect()
    }

    /// `count` numbers from `low` to `high` that differ by `gap` at least, in no order.
    pub fn apart(&mut self, count: usize, low: u64, high: u64, gap: u64) -> Vec<u64> {
        let mut found: Vec<u64> = Vec::new();
        while found.len() < count {
            let number = self.between(low, high);
            if found.iter().all(|other| other.abs_diff(number) >= gap) {
                found.push(number);
            }
        }
        found
    }
}
