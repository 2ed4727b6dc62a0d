//! Looks at what the service needs and says what to do.
