//! The engine and its scenarios, as a user sees them.

mod any_boxes;
mod any_load;
mod any_scenario;
mod apps;
mod bad_scenarios;
mod boxes;
mod capacity;
mod captures;
mod determinism;
mod edits;
mod filters;
mod golden;
mod import;
mod import_hostile;
mod incident;
mod load;
mod measures;
mod monotone;
mod recording;
mod scenarios;
mod smoltcp;
mod stage;
mod tune;
mod views;
mod why;
