-- When a message of a number last came or went, some minutes more or less: after a start of
-- the machine, the numbers that were active last are started first.
-- +goose Up
ALTER TABLE "instances" ADD COLUMN "active_at" BIGINT NOT NULL DEFAULT 0;
