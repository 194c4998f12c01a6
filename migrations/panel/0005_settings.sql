-- What a person set for a number, as one document. It holds secrets and is kept encrypted.
-- "scope" is the id of the number, '' for what holds for all numbers; "revision" rises with
-- every change.
-- +goose Up
CREATE TABLE "settings" (
	"scope"    TEXT   NOT NULL PRIMARY KEY,
	"revision" BIGINT NOT NULL,
	"sealed"   BYTEA  NOT NULL
);
