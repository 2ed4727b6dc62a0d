//! Effects → the timeline of DESIGN §4, one JSON object a line.
