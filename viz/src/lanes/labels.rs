//! Labels that do not overlap: each is put where there is room, or left out.

use crate::canvas::{Area, Place};

/// Where labels stand already.
#[derive(Clone, Default, Debug)]
pub(crate) struct Taken(Vec<Area>);

impl Taken {
    /// Nothing may stand there.
    pub(crate) fn take(&mut self, area: Area) {
        self.0.push(area);
    }
    /// Is there room?
    pub(crate) fn is_free(&self, area: Area) -> bool {
        self.0.iter().all(|other| {
            area.right() <= other.x
                || other.right() <= area.x
                || area.bottom() <= other.y
                || other.bottom() <= area.y
        })
    }
    /// Takes the first of the places, each the middle of a label, that has room for one of that
    /// size.
    pub(crate) fn first(
        &mut self,
        places: impl IntoIterator<Item = Place>,
        (width, height): (i32, i32),
    ) -> Option<Place> {
        let found = places.into_iter().find_map(|(x, y)| {
            let area = Area { x: x - width / 2, y: y - height / 2, width, height };
            self.is_free(area).then_some(((x, y), area))
        });
        let (place, area) = found?;
        self.take(area);
        Some(place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_goes_where_there_is_room_or_nowhere() {
        let mut taken = Taken::default();
        assert_eq!(taken.first([(50, 10)], (40, 10)), Some((50, 10)));
        assert_eq!(taken.first([(60, 10), (60, 20)], (40, 10)), Some((60, 20)));
        assert_eq!(taken.first([(60, 10), (60, 20)], (40, 10)), None);
        assert_eq!(taken.first([(90, 10)], (40, 10)), Some((90, 10)), "they may touch");
    }
}
