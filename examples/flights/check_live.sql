WITH
-- What both views must hold, computed by DuckDB from the same files, against what they hold: one row for each cell that
-- differs. No row: every cell is equal. FLIGHTS and AIRPORTS stand for the files. A flight that dead_letters has as too
-- late for a window does not count there.
airports AS (SELECT iata FROM read_csv('AIRPORTS', header = true, all_varchar = true)),
late AS (
  SELECT CASE step WHEN 'Delays/HourlyStats' THEN 'hourly_delays'
                   WHEN 'Delays/RouteStats' THEN 'route_delays' END AS view,
         CAST(json_extract_string(element, '$.value.id') AS BIGINT) AS id,
         window_start
  FROM dead_letters
  WHERE name = 'late'
),
valid AS (
  SELECT file_row_number AS id,
         time_bucket(INTERVAL 1 HOUR, date) AS hour,
         delay >= 15 AS delayed,
         delay, distance, origin, destination,
         file_row_number IN (SELECT id FROM late) AS is_late
  FROM read_parquet('FLIGHTS', file_row_number = true)
  WHERE delay BETWEEN -120 AND 1440
    AND distance > 0
    AND origin IN (FROM airports)
    AND destination IN (FROM airports)
),
-- Hours of flights that count in every window, and flights that do not, as groups of one.
groups AS (
  SELECT NULL AS id, origin, destination, hour,
         count(*) AS flights,
         count(*) FILTER (delayed) AS delayed,
         sum(delay) AS delay_sum,
         max(delay) AS delay_max,
         sum(distance) AS distance_sum
  FROM valid
  WHERE NOT is_late
  GROUP BY ALL
  UNION ALL
  SELECT id, origin, destination, hour, 1, CAST(delayed AS INTEGER), delay, delay, distance
  FROM valid
  WHERE is_late
),
counted AS (
  SELECT 'hourly_delays' AS view, * EXCLUDE (destination, hour), '' AS destination, hour AS window_start,
         hour + INTERVAL 1 HOUR AS window_end
  FROM groups
  UNION ALL BY NAME
  SELECT 'route_delays' AS view, * EXCLUDE (hour, back), hour - to_hours(back) AS window_start,
         hour - to_hours(back) + INTERVAL 6 HOUR AS window_end
  FROM groups, range(6) AS hours_before(back)
),
expected AS (
  SELECT view, origin, destination, window_start, window_end,
         sum(flights) AS flights, sum(delayed) AS delayed, sum(delay_sum) AS delay_sum, max(delay_max) AS delay_max,
         sum(distance_sum) AS distance_sum
  FROM counted ANTI JOIN late USING (view, id, window_start)
  GROUP BY ALL
),
found AS (
  SELECT 'hourly_delays' AS view, origin, '' AS destination, * EXCLUDE (origin) FROM hourly_delays
  UNION ALL
  SELECT 'route_delays', * FROM route_delays
)
SELECT view, origin, destination, window_start, window_end,
       expected.flights AS flights_expected, found.flights AS flights_found,
       expected.delayed AS delayed_expected, found.delayed AS delayed_found,
       expected.delay_sum AS delay_sum_expected, found.delay_sum AS delay_sum_found,
       expected.delay_max AS delay_max_expected, found.delay_max AS delay_max_found,
       expected.distance_sum AS distance_sum_expected, found.distance_sum AS distance_sum_found
FROM expected FULL JOIN found USING (view, origin, destination, window_start, window_end)
WHERE (expected.flights, expected.delayed, expected.delay_sum, expected.delay_max, expected.distance_sum)
      IS DISTINCT FROM (found.flights, found.delayed, found.delay_sum, found.delay_max, found.distance_sum)
ORDER BY view, window_start, origin, destination
LIMIT 100
