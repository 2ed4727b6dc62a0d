-- The reason in its parts (JSON), so that a page can say it in its reader's language. NULL: from before this step.
ALTER TABLE readiness_history ADD COLUMN because TEXT;
