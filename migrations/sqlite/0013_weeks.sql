-- How many items of a connection were created in each of the last weeks, and how many changed: last modified
-- in it and created in an earlier one. Weeks begin on Monday in UTC; that of 1 January 1970 is 0. Kept as
-- items are written, as item_counts is; older weeks are not looked at.
CREATE TABLE item_weeks (
    connection_id INTEGER NOT NULL REFERENCES connections (id) ON DELETE CASCADE,
    week INTEGER NOT NULL,
    created INTEGER NOT NULL,
    changed INTEGER NOT NULL,
    PRIMARY KEY (connection_id, week)
);

-- Three days in milliseconds, for 1970 began on a Thursday, and seven. A time that is not known is far below
-- zero, and so is its week.
INSERT INTO item_weeks (connection_id, week, created, changed)
SELECT connection_id, week, SUM(created), SUM(changed) FROM (
    SELECT connection_id, (created_at + 259200000) / 604800000 AS week, 1 AS created, 0 AS changed
    FROM items WHERE gone_at IS NULL
    UNION ALL
    SELECT connection_id, (modified_at + 259200000) / 604800000, 0, 1
    FROM items WHERE gone_at IS NULL
        AND (modified_at + 259200000) / 604800000 > (created_at + 259200000) / 604800000
) AS counted
WHERE week >= (SELECT (now + 259200000) / 604800000 - 26 FROM clock)
GROUP BY connection_id, week;
