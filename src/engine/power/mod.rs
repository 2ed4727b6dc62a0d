pub(super) mod battery;
