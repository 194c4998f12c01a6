-- The row of "outbox" is made by the first event, not by the migration: a database that a
-- backup is restored into has to be empty. One that counts already stays.
-- +goose Up
DELETE FROM "outbox" WHERE "seq" = 0 AND "device" = '';
