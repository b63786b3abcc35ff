WITH
-- What `flights publish` says that it did, against the dead letters of the run that read the log: one row for each that
-- is missing, too much or there more than once. FLIGHTS, AIRPORTS and REPORT stand for the files. Dead letters are the
-- rows of the file that are no valid flight, once for each time that they were sent, and the garbage.
airports AS (SELECT iata FROM read_csv('AIRPORTS', header = true, all_varchar = true)),
report AS (
  SELECT kind, id, data
  FROM read_json('REPORT', format = 'newline_delimited',
                 columns = {kind: 'VARCHAR', id: 'VARCHAR', sequence: 'BIGINT', data: 'VARCHAR'})
),
invalid AS (
  SELECT CAST(file_row_number AS VARCHAR) AS id
  FROM read_parquet('FLIGHTS', file_row_number = true)
  WHERE NOT (delay BETWEEN -120 AND 1440
             AND distance > 0
             AND origin IN (FROM airports)
             AND destination IN (FROM airports))
),
expected AS (
  SELECT what, count(*) AS times
  FROM (
    SELECT data AS what FROM report WHERE kind = 'garbage'
    UNION ALL
    SELECT 'flight ' || id FROM invalid
    UNION ALL
    SELECT 'flight ' || id FROM invalid JOIN report USING (id) WHERE kind = 'duplicate'
  )
  GROUP BY what
),
events AS (SELECT json_extract_string(element, '$.event') AS event FROM dead_letters WHERE name = 'flights'),
found AS (
  SELECT what, count(*) AS times
  FROM (
    SELECT CASE WHEN event IN (SELECT data FROM report WHERE kind = 'garbage') OR NOT json_valid(event) THEN event
                ELSE 'flight ' || json_extract_string(event, '$.id') END AS what
    FROM events
  )
  GROUP BY what
)
SELECT what, expected.times AS times_expected, found.times AS times_found
FROM expected FULL JOIN found USING (what)
WHERE expected.times IS DISTINCT FROM found.times
ORDER BY what
LIMIT 100
