-- What is sealed with the secret key and tells, at each start, whether that is the right one.
-- It belongs to the place, like the key itself: no backup has it. Before, one row of
-- "sealed_keys" was that, which came with backups.
-- +goose Up
CREATE TABLE "secret_key" (
	"name"   TEXT  NOT NULL PRIMARY KEY,
	"sealed" BYTEA NOT NULL
);
DELETE FROM "sealed_keys" WHERE "name" = 'probe';
