-- +goose Up
-- Who runs this number. On a database server, workers of several hosts may reach the same
-- databases, and one of them alone may write. "token" rises with every taking; what was
-- taken over is told by it. "holder" is '' and "expires_at" 0 while nobody runs the number.
-- Times are Unix milliseconds of the server's clock. With SQLite, where a lock on the folder
-- of the number does the same, the table stays empty.

CREATE TABLE "lease" (
    "one"        BIGINT NOT NULL PRIMARY KEY CHECK ("one" = 1),
    "token"      BIGINT NOT NULL,
    "holder"     TEXT   NOT NULL,
    "expires_at" BIGINT NOT NULL
);
