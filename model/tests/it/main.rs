//! Stories of two hosts and of one, on the model alone.

mod close_stories;
mod pair;
mod random_walk;
mod timewait_stories;
