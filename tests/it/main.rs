//! The program as a person meets it: what it prints, where, and with which exit status.

mod bad_input;
mod book;
mod captures;
mod card;
mod color;
mod compare;
mod connections;
mod docs;
mod explain;
mod explore;
mod gallery;
mod generated_docs;
#[path = "../../sim/tests/it/golden.rs"]
mod golden;
mod import;
mod learn;
mod live;
mod outside;
mod pages;
mod plot;
mod program;
mod questions;
mod record;
mod redis;
mod replay;
mod report;
mod run;
mod scripts;
mod shards;
mod story;
mod sweep;
mod tune;
mod views;
mod why;
mod witnesses;
