CREATE TABLE mailbox (address TEXT PRIMARY KEY, used INTEGER NOT NULL, quota INTEGER NOT NULL);
INSERT INTO mailbox VALUES ('full@example.test', 100, 100), ('roomy@example.test', 12, 100);
