-- +goose Up
-- Parts of its history that the phone has handed over and that are not stored yet. "notice" is
-- the protobuf that says where a part is, or holds it; "tries" counts how often it was begun,
-- since one that ends its process each time must not do so for ever. "seq" is their order.

CREATE TABLE "history_parts" (
    "id"     TEXT   NOT NULL PRIMARY KEY,
    "seq"    BIGINT NOT NULL,
    "notice" BYTEA  NOT NULL,
    "tries"  BIGINT NOT NULL DEFAULT 0
);
