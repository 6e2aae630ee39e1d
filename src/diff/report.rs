//! The report as text for people.
