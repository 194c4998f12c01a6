-- +goose Up
-- When each key of the number's own API was last used, so that a restart does not forget it.
-- Times are Unix milliseconds.

CREATE TABLE "key_uses" (
    "key" TEXT   NOT NULL PRIMARY KEY,
    "at"  BIGINT NOT NULL
);
