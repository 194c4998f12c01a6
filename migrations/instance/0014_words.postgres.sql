-- +goose Up
-- SQLite puts words into its index many at a time from here on; PostgreSQL does that by
-- itself ("fastupdate" of GIN indexes).
SELECT 1;
