#![allow(clippy::doc_markdown, reason = "a page for readers, made by a table and not by hand")]
#![doc = include_str!("reference.md")]
