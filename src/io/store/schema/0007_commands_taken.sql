-- When the unit, or the external broker for it, took the command. A restart sends again only what nobody has taken: a
-- unit must not reboot twice because the service was restarted.
ALTER TABLE command ADD COLUMN taken_at INTEGER;
