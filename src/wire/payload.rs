//! The payloads as they stand on the wire, with their JSON Schemas.
