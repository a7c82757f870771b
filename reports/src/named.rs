//! Things by name, in an order of their own.

use serde::ser::{Serialize, SerializeMap, Serializer};

/// A map that keeps the order in which names were put in; serialised as a map. Made for the few dozen routes, stations and
/// causes of a scenario.
#[derive(Clone, Debug, PartialEq)]
pub struct Named<T>(Vec<(String, T)>);

impl<T> Named<T> {
    /// No names.
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }
    /// The value called `name`.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&T> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }
    /// The value called `name`, made by `make` at the end if it is not there yet.
    pub fn entry(&mut self, name: &str, make: impl FnOnce() -> T) -> &mut T {
        let index = self.0.iter().position(|(known, _)| known == name).unwrap_or_else(|| {
            self.0.push((name.to_owned(), make()));
            self.0.len() - 1
        });
        &mut self.0[index].1
    }
    /// Names and values in order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&str, &T)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }
    /// Names in order, and the values to change.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (&str, &mut T)> {
        self.0.iter_mut().map(|(name, value)| (name.as_str(), value))
    }
    /// The values in order.
    pub fn values(&self) -> impl DoubleEndedIterator<Item = &T> {
        self.0.iter().map(|(_, value)| value)
    }
    /// How many there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.0.len()
    }
    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
    /// Puts the largest first; equals stay in order, values that are not numbers go last.
    pub fn sort_descending_by_key(&mut self, key: impl Fn(&T) -> f64) {
        let rank = |value: &T| Some(key(value)).filter(|k| !k.is_nan()).unwrap_or(f64::NEG_INFINITY);
        self.0.sort_by(|(_, a), (_, b)| rank(b).total_cmp(&rank(a)));
    }
}

impl<T> Default for Named<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> FromIterator<(String, T)> for Named<T> {
    fn from_iter<I: IntoIterator<Item = (String, T)>>(items: I) -> Self {
        Self(items.into_iter().collect())
    }
}

impl<T: Serialize> Serialize for Named<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}
